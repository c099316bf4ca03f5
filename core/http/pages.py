"""Serves the browser application: hashed assets for ever, everything else asked anew."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from core.errors import NotFound

FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
# Addresses of programs: unknown ones among them are errors, never the page.
PAGE = r"/{path:(?!(?:api|fhir|health|metrics|socket\.io)(?:/|$)).*}"


def add_pages(application: web.Application, folder: Path) -> None:
    """Files of ``folder`` (a Vite build), and its ``index.html`` for every address a page may have. Add this last."""
    root = folder.resolve()

    async def page(request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        file = (root / path).resolve()
        if path and file.is_relative_to(root) and file.is_file():
            cache = FOR_EVER if path.startswith("assets/") else ASK_AGAIN
            return web.FileResponse(file, headers={"Cache-Control": cache})
        if path.startswith("assets/") or "." in path.rsplit("/", 1)[-1]:
            raise NotFound()
        index = root / "index.html"
        if not index.is_file():
            return web.Response(
                text="The pages are not built: run `make run`, or `npm run build` in web/.\n", status=503
            )
        return web.FileResponse(index, headers={"Cache-Control": ASK_AGAIN})

    application.router.add_get(PAGE, page)
