"""Enforcing what app/domain/tenancy.py decides: require() in queries and actions, @guarded on doors."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from app.auth.current import current_viewer
from app.domain.tenancy import Viewer, may
from app.errors import Forbidden

P = ParamSpec("P")
R = TypeVar("R")


def require(viewer: Viewer, verb: str, noun: str) -> None:
    """Return when `viewer` may do `verb` (read, write, admin) to `noun`; else raise Forbidden."""
    if not may(viewer, verb, noun):
        held = "This token" if viewer.scopes is not None else f"The role {viewer.role or 'none'}"
        raise Forbidden(f"{held} does not allow to {verb} {noun}.")


def guarded(verb: str, noun: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a view, callback or layout: only a viewer who may do `verb` to `noun` gets in.

    The function carries `guarded = (verb, noun)`, so that a test can walk all doors. With another decorator (such as
    `shown`) put this one inside: `@shown` above `@guarded(...)`.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            require(current_viewer(), verb, noun)
            return function(*args, **kwargs)

        checked.guarded = (verb, noun)  # type: ignore[attr-defined]  # functions take attributes; mypy does not know
        return checked

    return decorate
