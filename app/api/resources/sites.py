"""/api/v1/sites: the places where devices stand. A site is addressed by its name."""

from __future__ import annotations

from flask import Blueprint, Response

from app.actions import sites as actions
from app.api.openapi import Listed, answer, documented, json_body
from app.api.paging import page_of, requested_page
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.inventory import Site, SiteFields
from app.domain.tenancy import READ, WRITE
from app.queries import sites as queries

blueprint = Blueprint("sites", __name__)


@blueprint.get("/api/v1/sites")
@documented("List sites", answer=Listed[Site])
@guarded(READ, "sites")
def list_sites() -> Response:
    """A page of sites, by name."""
    page = requested_page("sites")
    found = queries.sites(current_viewer(), after=page.after, limit=page.limit + 1)
    return answer(page_of("sites", found, page, lambda each: each.name))


@blueprint.post("/api/v1/sites")
@documented("Create a site", body=SiteFields, answer=Site, status=201)
@guarded(WRITE, "sites")
def create() -> Response:
    """Add a site; only its name is needed."""
    return answer(actions.create_site(current_viewer(), json_body(SiteFields)), 201)


@blueprint.get("/api/v1/sites/<site>")
@documented("Get a site", answer=Site)
@guarded(READ, "sites")
def get(site: str) -> Response:
    """One site."""
    return answer(queries.site(current_viewer(), site))


@blueprint.patch("/api/v1/sites/<site>")
@documented("Change a site", body=SiteFields, answer=Site)
@guarded(WRITE, "sites")
def change(site: str) -> Response:
    """Set the given fields; the others stay."""
    return answer(actions.change_site(current_viewer(), site, json_body(SiteFields)))


@blueprint.delete("/api/v1/sites/<site>")
@documented("Delete a site", status=204)
@guarded(WRITE, "sites")
def delete(site: str) -> Response:
    """Remove a site; its devices stay."""
    actions.delete_site(current_viewer(), site)
    return answer(None, 204)
