"""Errors as answers: RFC 9457 problem documents. One of the three edges that catch everything.

Routes of a foreign protocol answer in that protocol's own form: their blueprint registers its own handlers, which
Flask prefers over these.
"""

from __future__ import annotations

import logging
from http import HTTPStatus

import msgspec
from flask import Flask, Response, request
from flask.typing import ResponseReturnValue
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from sqlalchemy.exc import DataError, OperationalError
from werkzeug.exceptions import HTTPException

from app.auth.current import current_request_id
from app.errors import InvalidInput, NotFound, Overloaded, Unauthenticated, Unavailable, WatchfloorError

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"


def problem(status: int, detail: str, **members: object) -> Response:
    """A problem document; `members` are added to it (such as field=...)."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "request_id": current_request_id(),
        **members,
    }
    return Response(msgspec.json.encode(document), status=status, content_type=CONTENT_TYPE)


def problem_for(error: WatchfloorError) -> Response:
    """The answer for an error that was raised on purpose."""
    members: dict[str, object] = {}
    if isinstance(error, InvalidInput):
        members["field"] = error.field
    response = problem(error.status, str(error), **members)
    if isinstance(error, (Overloaded, Unavailable)):
        response.headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, Unauthenticated):
        response.headers["WWW-Authenticate"] = 'Bearer realm="watchfloor"'
    return response


def register_problems(server: Flask) -> None:
    """Answer every error of `server` that no blueprint answers itself."""
    server.register_error_handler(WatchfloorError, problem_for)
    server.register_error_handler(HTTPException, _http_problem)
    server.register_error_handler(DataError, _out_of_range)
    server.register_error_handler(OperationalError, _away)
    server.register_error_handler(RedisConnectionError, _away)
    server.register_error_handler(RedisTimeoutError, _away)
    server.register_error_handler(Exception, _unexpected)


def _http_problem(error: HTTPException) -> ResponseReturnValue:
    """What Flask itself refuses: no such path, wrong method, body too large. Redirects pass."""
    if error.response is not None or error.code is None or error.code < 400:
        return error
    response = problem(error.code, error.description or "")
    for name, value in error.get_headers():
        if name not in ("Content-Type", "Content-Length"):
            response.headers[name] = value
    return response


def _unexpected(error: Exception) -> Response:
    log.error("request failed", exc_info=error)
    detail = "Something went wrong on our side. The request id helps to find it in the log."
    return problem(500, detail)


def _out_of_range(error: DataError) -> Response:
    """A number or text that no column can hold: as an id in the path it names nothing that exists."""
    log.warning("value out of range", extra={"error": str(error.orig)})
    if any(isinstance(each, int) for each in (request.view_args or {}).values()):
        return problem_for(NotFound("There is no such thing."))
    return problem_for(InvalidInput("", "a value is out of range"))


def _away(error: Exception) -> Response:
    """The database or Valkey does not answer: nothing was done, and it passes."""
    log.error("dependency away", extra={"error": type(error).__name__})
    return problem_for(Unavailable("the database" if isinstance(error, OperationalError) else "Valkey"))
