"""The HTTP edge: routes, middleware, problem documents, OpenAPI."""
