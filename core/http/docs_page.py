"""The documentation page: the OpenAPI document as one page of plain HTML, without scripts."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from aiohttp import web

from core.http.openapi import codes, describe
from core.http.routes import Routes

STYLE = Path(__file__).with_name("docs.css")


def add_documentation(application: web.Application, tables: Sequence[Routes]) -> None:
    """``/api/v1/openapi.json`` and ``/api/docs``, made once: routes do not change while the process lives."""
    document = describe(tables)
    page = render_page(document, codes(tables))
    style = STYLE.read_text(encoding="utf-8")

    async def openapi(request: web.Request) -> web.Response:
        return web.json_response(document, headers={"Cache-Control": "no-cache"})

    async def docs(request: web.Request) -> web.Response:
        return web.Response(text=page, content_type="text/html", headers={"Cache-Control": "no-cache"})

    async def css(request: web.Request) -> web.Response:
        return web.Response(text=style, content_type="text/css", headers={"Cache-Control": "no-cache"})

    application.router.add_get("/api/v1/openapi.json", openapi)
    application.router.add_get("/api/docs", docs)
    application.router.add_get("/api/docs/docs.css", css)


def render_page(document: dict[str, Any], errors: Sequence[tuple[int, str, str]]) -> str:
    """The whole page. Everything from the document is escaped."""
    groups: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            groups.setdefault(operation["tags"][0], []).append((method, path, operation))
    links = "".join(f'<li><a href="#{escape(tag)}">{escape(tag.capitalize())}</a></li>' for tag in groups)
    body = "".join(
        f'<section id="{escape(tag)}"><h2>{escape(tag.capitalize())}</h2>'
        + "".join(_operation(*each) for each in operations)
        + "</section>"
        for tag, operations in groups.items()
    )
    schemas = "".join(
        f'<details id="schema-{escape(name)}"><summary><code>{escape(name)}</code></summary>{_fields(schema)}</details>'
        for name, schema in sorted(document["components"]["schemas"].items())
    )
    rows = "".join(
        f'<tr id="{escape(code)}"><td>{status}</td><td><code>{escape(code)}</code></td><td>{escape(title)}</td></tr>'
        for status, code, title in errors
    )
    info = document["info"]
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>Bedside API</title>
<link rel="stylesheet" href="/api/docs/docs.css"></head>
<body><nav aria-label="Contents"><p class="brand">Bedside <span>API {escape(info["version"])}</span></p>
<ul>{links}<li><a href="#schemas">Shapes</a></li><li><a href="#errors">Errors</a></li></ul></nav>
<main><header><h1>Bedside API</h1><p>{escape(info["description"])}</p>
<p>Send the access token of <code>POST /api/v1/auth/login</code> as <code>Authorization: Bearer …</code>.
The same as a document: <a href="/api/v1/openapi.json">openapi.json</a>.</p></header>
{body}
<section id="schemas"><h2>Shapes</h2>{schemas}</section>
<section id="errors"><h2>Errors</h2><p>Every error is a problem document (RFC 9457) with one of these codes.</p>
<table><thead><tr><th>Status</th><th>Code</th><th>Meaning</th></tr></thead><tbody>{rows}</tbody></table></section>
</main></body></html>"""


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    parts = [f"<p>{escape(operation['description'])}</p>"] if operation.get("description") else []
    access = "open to all" if not operation["security"] else f"{next(iter(operation['security'][0]))} token"
    parts.append(f'<p class="access">{escape(access)}</p>')
    if operation["parameters"]:
        rows = "".join(
            f"<tr><td><code>{escape(each['name'])}</code></td><td>{escape(each['in'])}"
            f"{' · required' if each['required'] else ''}</td><td>{_type(each['schema'])}</td></tr>"
            for each in operation["parameters"]
        )
        parts.append(f"<h4>Parameters</h4><table><tbody>{rows}</tbody></table>")
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(f"<h4>Body</h4><p>{_type(content['schema'])} <small>{escape(kind)}</small></p>")
    answers = "".join(
        f'<tr><td class="s{status[0]}">{status}</td><td>{_answer(answer)}</td></tr>'
        for status, answer in operation["responses"].items()
    )
    parts.append(f"<h4>Answers</h4><table><tbody>{answers}</tbody></table>")
    return (
        f'<details class="operation" id="{escape(operation["operationId"])}"><summary>'
        f'<b class="{escape(method)}">{escape(method.upper())}</b> <code>{escape(path)}</code> '
        f"<span>{escape(operation['summary'])}</span></summary>{''.join(parts)}</details>"
    )


def _answer(answer: dict[str, Any]) -> str:
    text = escape(answer["description"]).replace("`", "")
    for kind, content in answer.get("content", {}).items():
        if kind != "application/problem+json":
            return f"{_type(content['schema'])} <small>{escape(kind)}</small>"
    return text


def _fields(schema: dict[str, Any]) -> str:
    note = f"<p>{escape(schema['description'])}</p>" if schema.get("description") else ""
    required = schema.get("required", [])
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code>{'' if name in required else ' <small>optional</small>'}</td>"
        f"<td>{_type(field)}</td><td>{escape(field.get('description', ''))}</td></tr>"
        for name, field in schema.get("properties", {}).items()
    )
    return f"{note}<table><tbody>{rows}</tbody></table>" if rows else f"{note}<p>{_type(schema)}</p>"


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rsplit("/", 1)[1])
        return f'<a href="#schema-{name}">{name}</a>'
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(_type(each) for each in schema[several])
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(each))}</code>" for each in schema["enum"])
    if "const" in schema:
        return f"<code>{escape(str(schema['const']))}</code>"
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    text = str(schema.get("type", "any"))
    limits = [schema.get("format", "")]
    for word, sign in (("minimum", "≥"), ("maximum", "≤"), ("minLength", "length ≥"), ("maxLength", "length ≤")):
        if word in schema:
            limits.append(f"{sign} {schema[word]}")
    extra = ", ".join(each for each in limits if each)
    return escape(f"{text} ({extra})" if extra else text)
