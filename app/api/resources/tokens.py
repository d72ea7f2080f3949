"""/api/v1/tokens: the API tokens of the tenant."""

from __future__ import annotations

from datetime import datetime

import msgspec
from flask import Blueprint, Response

from app.actions import tokens as actions
from app.api.openapi import Listed, answer, documented, json_body
from app.api.paging import page_of, requested_page
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.access import ApiToken
from app.domain.tenancy import READ, WRITE, Scope
from app.queries import tokens as queries

blueprint = Blueprint("tokens", __name__)


class TokenIn(msgspec.Struct, forbid_unknown_fields=True):
    """A token to make."""

    name: str
    scopes: list[Scope]
    expires_at: datetime | None = None
    source_ranges: list[str] = []


class TokenMade(msgspec.Struct):
    """A token just made; `secret` is shown this once."""

    id: int
    secret: str
    name: str
    prefix: str
    scopes: tuple[Scope, ...]
    source_ranges: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None


@blueprint.get("/api/v1/tokens")
@documented("List tokens", answer=Listed[ApiToken])
@guarded(READ, "tokens")
def list_tokens() -> Response:
    """A page of tokens, the newest first."""
    page = requested_page("tokens")
    found = queries.tokens(current_viewer(), before=page.after, limit=page.limit + 1)
    return answer(page_of("tokens", found, page, lambda token: token.id))


@blueprint.post("/api/v1/tokens")
@documented("Make a token", body=TokenIn, answer=TokenMade, status=201)
@guarded(WRITE, "tokens")
def create() -> Response:
    """Make a token and answer its secret once."""
    body = json_body(TokenIn)
    made = actions.create(
        current_viewer(),
        name=body.name,
        scopes=body.scopes,
        expires_at=body.expires_at,
        source_ranges=body.source_ranges,
    )
    token = made.token
    shown = TokenMade(
        id=token.id,
        secret=made.secret,
        name=token.name,
        prefix=token.prefix,
        scopes=token.scopes,
        source_ranges=token.source_ranges,
        created_at=token.created_at,
        expires_at=token.expires_at,
    )
    return answer(shown, 201)


@blueprint.get("/api/v1/tokens/<int:token_id>")
@documented("Get a token", answer=ApiToken)
@guarded(READ, "tokens")
def get(token_id: int) -> Response:
    """One token, without its secret."""
    return answer(queries.token(current_viewer(), token_id))


@blueprint.delete("/api/v1/tokens/<int:token_id>")
@documented("Revoke a token", status=204)
@guarded(WRITE, "tokens")
def revoke(token_id: int) -> Response:
    """Make a token useless."""
    actions.revoke(current_viewer(), token_id)
    return answer(None, 204)
