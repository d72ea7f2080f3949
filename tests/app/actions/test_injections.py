"""The log of injections: kept once however often it is told, and one's own."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from app.actions import injections
from app.domain.injections import Family, Injection
from app.errors import Forbidden
from models.session import tenant_session
from tests.factories.cast import Cast

T0 = datetime(2026, 5, 4, 12, tzinfo=UTC)
SPIKE = Injection("o-1", Family.ODDITY, "spike", "ifHCInOctets", {"device": "a"}, ("a:1:in",), T0, T0, 0.5)


def stored(cast_member) -> list[tuple[str, datetime]]:
    with tenant_session(cast_member.tenant) as session:
        return [tuple(row) for row in session.execute(text("select ref, ended_at from injections order by ref"))]


def test_what_is_told_again_is_kept_once_as_it_was_told_last(cast: Cast):
    later = T0 + timedelta(minutes=5)
    injections.record(cast.alice, [SPIKE, replace(SPIKE, ref="o-2")])
    injections.record(cast.alice, [SPIKE, replace(SPIKE, ended_at=later)])
    injections.record(cast.alice, [])
    assert stored(cast.alice) == [("o-1", later), ("o-2", T0)]
    assert stored(cast.charlie) == []


def test_only_who_may_administer_tells(cast: Cast):
    with pytest.raises(Forbidden):
        injections.record(cast.vera, [SPIKE])
