"""Sealed secrets open in their own place alone."""

from __future__ import annotations

import pytest

from app.auth.sealing import open_keyring, seal, unseal
from app.errors import Conflict
from models.session import tenant_session
from tests.factories.cast import Cast
from tests.factories.servers import SECRET_KEY

CONTEXT = "credential:core"


@pytest.fixture(autouse=True)
def _keyring() -> None:
    open_keyring(SECRET_KEY)


def _sealed(cast: Cast, plaintext: bytes = b"public") -> bytes:
    with tenant_session(cast.acme) as session:
        return seal(session, cast.acme, plaintext, context=CONTEXT)


def test_what_is_sealed_opens_again(cast: Cast) -> None:
    sealed = _sealed(cast)
    assert b"public" not in sealed and sealed != _sealed(cast)
    with tenant_session(cast.acme) as session:
        assert unseal(session, cast.acme, sealed, context=CONTEXT) == b"public"


def test_it_opens_nowhere_else(cast: Cast) -> None:
    sealed = _sealed(cast)
    with tenant_session(cast.acme) as session, pytest.raises(Conflict):
        unseal(session, cast.acme, sealed, context="credential:edge")
    with tenant_session(cast.globex) as session:
        seal(session, cast.globex, b"own key", context="x")
        with pytest.raises(Conflict):
            unseal(session, cast.globex, sealed, context=CONTEXT)


def test_damage_is_refused(cast: Cast) -> None:
    sealed = _sealed(cast)
    flipped = sealed[:-1] + bytes([sealed[-1] ^ 1])
    with tenant_session(cast.acme) as session:
        for damaged in (flipped, sealed[:-1], sealed[:5], b"", b"\x02" + sealed[1:]):
            with pytest.raises(Conflict):
                unseal(session, cast.acme, damaged, context=CONTEXT)


def test_another_secret_key_opens_nothing(cast: Cast) -> None:
    sealed = _sealed(cast)
    open_keyring("another-secret-key-" * 3)
    with tenant_session(cast.acme) as session, pytest.raises(Conflict, match="another secret key"):
        unseal(session, cast.acme, sealed, context=CONTEXT)
