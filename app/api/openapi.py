"""What goes in and out of REST views, and the OpenAPI 3.1 document made from it.

The convention for app/api/resources/<noun>.py:

    class SiteIn(msgspec.Struct, forbid_unknown_fields=True): ...      # a body; unknown fields are 400
    class SiteOut(msgspec.Struct): ...                                 # or any dataclass of the domain

    @blueprint.post("/api/v1/sites")
    @documented("Create a site", body=SiteIn, answer=SiteOut, status=201)
    @guarded("write", "sites")
    def create() -> Response:
        return answer(actions.sites.create(current_viewer(), json_body(SiteIn)...), 201)

A list says `answer=Listed[SiteOut]` and `query={"site": "only devices of this site"}`; `limit` and `cursor` are added
by themselves. The document is made from the url map; a view without @documented is not in it, and a test fails.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from html import escape
from typing import Any, Generic, TypeVar, get_origin

import msgspec
from flask import Blueprint, Response, current_app, request
from werkzeug.routing import Rule

from app.auth.permissions import guarded
from app.domain.tenancy import READ
from app.errors import DecodeError, InvalidInput, UnknownContentType

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

blueprint = Blueprint("openapi", __name__)

SCHEMA_REF = "#/components/schemas/{name}"
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Watchfloor API</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="dark light">
<style>body{{font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}}
pre{{overflow:auto;padding:.5rem;border:1px solid #8884}}h2{{border-top:1px solid #8884;padding-top:1rem}}</style>
<main>{body}</main></html>"""
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class Listed(msgspec.Struct, Generic[T]):
    """One page of a list; `next` is the cursor of the following page."""

    items: list[T]
    next: str | None = None


class Problem(msgspec.Struct):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str


@dataclass(frozen=True)
class Documented:
    """What a view says about itself."""

    summary: str
    body: Any = None
    answer: Any = None
    status: int = 200
    query: Mapping[str, str] = field(default_factory=dict)


def documented(
    summary: str,
    *,
    body: Any = None,
    answer: Any = None,
    status: int = 200,
    query: Mapping[str, str] | None = None,
) -> Callable[[F], F]:
    """Describe a view: types are msgspec structs or dataclasses, `query` maps parameters to their meaning."""

    def decorate(view: F) -> F:
        view.documented = Documented(summary, body, answer, status, query or {})  # type: ignore[attr-defined]  # as above
        return view

    return decorate


def json_body(kind: type[T]) -> T:
    """The body of this request as `kind`; raises InvalidInput naming the field, UnknownContentType if not JSON."""
    if request.mimetype != "application/json":
        raise UnknownContentType("Send the body as application/json.")
    try:
        plain = json.loads(request.get_data(cache=False), object_pairs_hook=_unique, parse_constant=_no_constant)
        _check_text(plain)
        return msgspec.convert(plain, kind)
    except InvalidInput:
        raise
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None
    except RecursionError:
        raise DecodeError("JSON", "", "is nested too deeply") from None
    except (ValueError, UnicodeError) as error:
        raise DecodeError("JSON", "", str(error)) from None


def answer(value: Any = None, status: int = 200) -> Response:
    """`value` (structs, dataclasses, plain data) as a JSON answer; None with 204 has no body."""
    if value is None and status == 204:
        return Response(status=204)
    encoded = msgspec.json.encode(value, enc_hook=str)
    return Response(encoded, status=status, content_type="application/json")


@blueprint.get("/api/v1/openapi.json")
@guarded(READ, "openapi")
def openapi() -> Response:
    """The document."""
    return answer(document(list(current_app.url_map.iter_rules())))


@blueprint.get("/api/docs")
@guarded(READ, "openapi")
def docs() -> Response:
    """The document for people: one plain page, no script."""
    return Response(render(document(list(current_app.url_map.iter_rules()))), content_type="text/html; charset=utf-8")


def document(rules: list[Rule]) -> dict[str, Any]:
    """OpenAPI 3.1 of every documented view among `rules`."""
    views = [(rule, method, view) for rule in rules for method, view in _documented_views(rule)]
    kinds = [kind for _, _, view in views for kind in (view.body, view.answer) if kind is not None]
    schemas, components = msgspec.json.schema_components([*kinds, Problem], ref_template=SCHEMA_REF)
    by_kind = list(zip([*kinds, Problem], schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for rule, method, view in sorted(views, key=lambda item: (item[0].rule, METHODS.index(item[1]))):
        operations = paths.setdefault(re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), {})
        operations[method.lower()] = _operation(rule, method, view, partial(_schema_of, by_kind))
    return {
        "openapi": "3.1.0",
        "info": {"title": "Watchfloor", "version": "1", "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": str(current_app.config["SESSION_COOKIE_NAME"])},
            },
        },
    }


def _schema_of(by_kind: list[tuple[Any, dict[str, Any]]], kind: Any) -> dict[str, Any]:
    return next(schema for known, schema in by_kind if known == kind)


def _documented_views(rule: Rule) -> list[tuple[str, Documented]]:
    view = getattr(current_app.view_functions.get(rule.endpoint), "documented", None)
    if view is None:
        return []
    return [(method, view) for method in METHODS if method in (rule.methods or ())]


def _operation(rule: Rule, method: str, view: Documented, schema_of: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{rule.endpoint}.{method.lower()}",
        "summary": view.summary,
        "tags": [rule.endpoint.partition(".")[0]],
        "parameters": [*_path_parameters(rule), *_query_parameters(view)],
        "responses": {
            str(view.status): _content("Done", "application/json", schema_of(view.answer) if view.answer else None),
            "default": _content("A problem", "application/problem+json", schema_of(Problem)),
        },
    }
    if view.body is not None:
        operation["requestBody"] = {"required": True} | _content("", "application/json", schema_of(view.body))
        del operation["requestBody"]["description"]
    guard = getattr(current_app.view_functions[rule.endpoint], "guarded", None)
    if guard is not None:
        operation["description"] = f"Needs the permission to {guard[0]} {guard[1]}."
    return operation


def _path_parameters(rule: Rule) -> list[dict[str, Any]]:
    kinds = {name: "integer" if converter == "int" else "string" for converter, name in _converters(rule)}
    return [{"name": name, "in": "path", "required": True, "schema": {"type": kind}} for name, kind in kinds.items()]


def _converters(rule: Rule) -> list[tuple[str, str]]:
    return re.findall(r"<(?:(\w+):)?(\w+)>", rule.rule)


def _query_parameters(view: Documented) -> list[dict[str, Any]]:
    named = dict(view.query)
    if get_origin(view.answer) is Listed:
        named |= {"limit": "how many at most (1 to 1000)", "cursor": "`next` of the page before"}
    return [
        {
            "name": name,
            "in": "query",
            "description": meaning,
            "schema": {"type": "integer" if name == "limit" else "string"},
        }
        for name, meaning in named.items()
    ]


def _content(description: str, media: str, schema: dict[str, Any] | None) -> dict[str, Any]:
    body = {"content": {media: {"schema": schema}}} if schema is not None else {}
    return {"description": description} | body


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise DecodeError("JSON", "", "names a member twice")
    return found


def _no_constant(name: str) -> None:
    raise DecodeError("JSON", "", f"{name} is not a number that JSON knows")


def _check_text(value: Any) -> None:
    """Refuse text that no database can store: NUL and half surrogate pairs."""
    if isinstance(value, str):
        value.encode()
        if "\0" in value:
            raise DecodeError("JSON", "", "text must not contain NUL")
    elif isinstance(value, list):
        for item in value:
            _check_text(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            _check_text(name)
            _check_text(item)


def _invalid(message: str) -> InvalidInput:
    """msgspec says "Expected `str`, got `int` - at `$.name`"; we say which field."""
    reason, _, where = message.partition(" - at `$")
    return InvalidInput(where.strip("`.").removesuffix("`") or "body", reason[:1].lower() + reason[1:])


def render(openapi_document: dict[str, Any]) -> str:
    """The document as HTML that needs neither script nor network."""
    parts = [f"<h1>{escape(openapi_document['info']['title'])} API</h1>"]
    parts.append('<p>The same as a machine reads it: <a href="/api/v1/openapi.json">openapi.json</a>.</p>')
    for path, operations in openapi_document["paths"].items():
        for method, operation in operations.items():
            parts.append(f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(operation['summary'])}. ")
            parts.append(f"{escape(operation.get('description', ''))}</p>")
            parts.extend(
                f"<p><code>{escape(item['name'])}</code> {escape(item.get('description', ''))}</p>"
                for item in operation["parameters"]
            )
            if "requestBody" in operation:
                parts.append(_example("Body", operation["requestBody"]))
    for name, schema in openapi_document["components"]["schemas"].items():
        parts.append(f"<h3>{escape(name)}</h3><pre>{escape(json.dumps(schema, indent=1))}</pre>")
    return PAGE.format(body="".join(parts))


def _example(title: str, content: dict[str, Any]) -> str:
    schema = content["content"]["application/json"]["schema"]
    return f"<p>{title}:</p><pre>{escape(json.dumps(schema, indent=1))}</pre>"
