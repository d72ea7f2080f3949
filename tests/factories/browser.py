"""A browser's and a program's way to the server, in the test's own process and database."""

from __future__ import annotations

from functools import cache
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from app.auth.passwords import HASHER
from app.auth.sealing import open_keyring
from app.auth.sessions import start_session
from app.auth.tokens import new_secret
from app.domain.tenancy import Scope, Viewer
from app.server import create_server
from app.settings import Settings
from models.access import TokenRow, UserRow
from models.session import platform_session
from tests.factories.servers import SECRET_KEY

PASSWORD = "correct horse battery"
# Hashed once: Argon2 takes a tenth of a second each time.
PASSWORD_HASH = HASHER.hash(PASSWORD)


@cache
def make_server(**settings: Any) -> Flask:
    """The whole web server on the connections that the test's fixtures opened; made once, it keeps nothing."""
    open_keyring(SECRET_KEY)
    return create_server(Settings(secret_key=SECRET_KEY, **settings))


def give_password(viewer: Viewer) -> None:
    """Let this person sign in with PASSWORD."""
    with platform_session() as session:
        session.execute(update(UserRow).where(UserRow.id == viewer.user_id).values(password_hash=PASSWORD_HASH))


class Browser:
    """A test client that is signed in as one person and sends the CSRF token as scripts do."""

    def __init__(self, server: Flask, viewer: Viewer | None = None) -> None:
        self.client: FlaskClient = server.test_client()
        self.csrf_token = ""
        self.cookie = server.config["COOKIES"].session
        if viewer is not None:
            assert viewer.user_id is not None
            with platform_session() as session:
                secret, self.csrf_token = start_session(
                    session, viewer.user_id, viewer.tenant, address="127.0.0.1", user_agent="test"
                )
            self.client.set_cookie(self.cookie, secret)

    def get(self, path: str, **options: Any) -> Any:
        return self.client.get(path, **options)

    def send(self, method: str, path: str, **options: Any) -> Any:
        headers = {"X-CSRFToken": self.csrf_token, **options.pop("headers", {})}
        return self.client.open(path, method=method, headers=headers, **options)

    def post(self, path: str, **options: Any) -> Any:
        return self.send("POST", path, **options)


def token_for(viewer: Viewer, *scopes: Scope, **columns: Any) -> dict[str, str]:
    """Make a token of the viewer's tenant; answers the header that carries it."""
    new = new_secret()
    with platform_session() as session:
        session.add(
            TokenRow(
                tenant_id=viewer.tenant,
                name="test",
                prefix=new.prefix,
                secret_hash=new.hash,
                scopes=list(scopes),
                created_by="test",
                **columns,
            )
        )
    return {"Authorization": f"Bearer {new.secret}"}
