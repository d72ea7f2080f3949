"""Targets: what is polled and what reports, for the tenant alone. The form is tested at the API."""

from __future__ import annotations

from app.clock import now_ms
from app.queries import gate, targets
from tests.factories.cast import Cast
from tests.factories.inventory import create_network
from tests.factories.samples import store_all


def test_an_agent_is_down_when_it_has_been_silent(cast: Cast) -> None:
    at = now_ms()
    ages_s = {"fresh": 10, "silent": 600, "forgotten": 2 * 86_400}
    store_all(
        cast.acme,
        [({"__name__": "agent_up", "device": name}, [(at - 1000 * age, 1.0)]) for name, age in ages_s.items()],
    )
    found = {each.labels["device"]: each.health for each in targets.targets(cast.vera)}
    assert found == {"fresh": "up", "silent": "down"}


def test_charlie_of_globex_sees_none_of_acmes_targets(cast: Cast) -> None:
    create_network(cast.alice, "sw-1")
    assert len(targets.targets(cast.vera)) == 1
    assert targets.targets(cast.charlie) == []
    # Nor do his queries wait for theirs as long as a place is free.
    assert gate.MOST_OF_TENANT < gate.MOST_RUNNING
