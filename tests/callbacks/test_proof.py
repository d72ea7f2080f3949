"""Admin, proof: every miss is shown, every figure is explained, and who has no log is told why there is nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from dash.development.base_component import Component

from app.actions import injections
from app.clock import utc_now
from app.domain.injections import Family, Injection
from app.errors import InvalidInput
from app.ui.components.admin import BY_NOUN
from callbacks import proof
from callbacks.admin import Command
from models.anomalies import AnomalyRow, DetectorStateRow
from models.session import tenant_session
from pages.proof import PATH
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase
from tests.factories.screens import acting, words

PORT = {"device": "fra1-agg-01", "ifName": "Ethernet3"}


@pytest.fixture
def story(cast: Cast, db: RolledBackDatabase) -> Cast:
    now = utc_now()
    began = now - timedelta(hours=5)
    log = [
        Injection(kind, Family.ODDITY, kind, metric, PORT, (), began, began + timedelta(minutes=20), 0.5)
        for kind, metric in (("spike", "ifHCInOctets"), ("stuck", "cpu_utilisation_ratio"))
    ]
    full = datetime(2027, 1, 5, tzinfo=UTC)
    log.append(Injection("g", Family.GROWTH, "link", "", PORT, (), began, full, 90.0))
    injections.record(cast.alice, log)
    at = began + timedelta(minutes=3)
    before, db.role = db.role, "worker"
    with tenant_session(cast.acme) as session:
        session.add(DetectorStateRow(tenant_id=cast.acme, group_id=1, scored_to=now))
        for slot, labels in enumerate((PORT, {"device": "lon1-core-01"})):
            session.add(
                AnomalyRow(tenant_id=cast.acme, group_id=1, slot=slot, metric="ifHCInOctets", labels=labels,
                           started_at=at, last_at=at, peak_at=at, score=3.5, value=1.0, view=0)
            )  # fmt: skip
    db.role = before
    return cast


def titles(component: Component) -> list[str]:
    return [each.title for each in component._traverse() if getattr(each, "title", None)]


def test_what_was_found_what_was_missed_and_what_was_a_false_alarm(story: Cast):
    with acting(story.vera):
        shown = proof.show("", 0, 0)
    told = words(shown)
    for expected in (
        "1 of 2",
        "50%",
        "3 min",
        "found",
        "missed",
        "Stuck value",
        "lon1-core-01",
        "05 Jan 2027",
        "not said yet",
    ):
        assert expected in told, expected
    assert {proof.RECALL, proof.PRECISION, proof.DELAY, proof.FALSE, proof.EXPLAINED, proof.OPEN} <= set(titles(shown))


def test_the_profile_and_the_days_are_in_the_address(story: Cast):
    with acting(story.vera):
        strict = words(proof.show("?profile=quiet&days=1", 0, 0))
        assert words(proof.show("?profile=nonsense&days=-3", 0, 0)) == words(proof.show("", 0, 0))
    assert "1 of 2" in strict


def test_without_a_log_it_is_said_what_this_page_is_for(story: Cast):
    with acting(story.charlie):
        assert "Nothing was injected here" in words(proof.show("", 0, 0))


def test_there_is_nothing_to_do_and_it_stands_below_models(story: Cast):
    assert BY_NOUN["proof"].path == PATH == "/admin/models/proof"
    with acting(story.vera), pytest.raises(InvalidInput):
        proof.run(Command("delete"))
