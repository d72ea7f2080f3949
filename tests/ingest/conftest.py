"""Who sends: a client of the server, and the header of a token that may."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from redis import Redis

from app.domain.tenancy import Scope
from ingest import limits, refused
from tests.factories.browser import make_server, token_for
from tests.factories.cast import Cast


@pytest.fixture
def client(cast: Cast, valkey: Redis) -> FlaskClient:
    """A client of a server that remembers nothing of other tests."""
    limits._purses.clear()
    refused.forget()
    return make_server().test_client()


@pytest.fixture
def sender(cast: Cast) -> dict[str, str]:
    """The header of a token of acme that may send."""
    return token_for(cast.alice, Scope.INGEST)
