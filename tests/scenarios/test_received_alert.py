"""An alert that a Prometheus of the customer's sends is worked on like one of our own."""

from __future__ import annotations

from datetime import timedelta

from redis import Redis

from app.actions import alerts as people
from app.actions import received_alerts
from app.clock import utc_now
from app.domain.tenancy import Scope
from callbacks import alerts as page
from ingest.protocols import alertmanager
from tests.factories.cast import Cast, token_viewer
from tests.factories.screens import acting, words

BODY = b"""[{"labels": {"alertname": "FanFailed", "severity": "critical", "instance": "core-9:9100"},
"annotations": {"summary": "Fan 2 of core-9 stands still", "runbook_url": "https://wiki.example/fan"}}]"""


def test_it_is_shown_acknowledged_and_ends_by_itself(cast: Cast, valkey: Redis) -> None:
    now = utc_now()
    received_alerts.receive(token_viewer(cast.alice, Scope.INGEST), alertmanager.decode(BODY, now=now).alerts, now=now)
    with acting(cast.bob):
        rows = page.show_rows("", None, 0, None)[0]
        assert [row["summary"] for row in rows] == ["Fan 2 of core-9 stands still"]
        alert_id = rows[0]["id"]
        detail = words(page.show_detail(f"?sel={alert_id}", None, 0, None))
        assert "Fan 2 of core-9 stands still" in detail and "From alertmanager" in detail
        people.acknowledge(cast.bob, [int(str(alert_id).removeprefix("A-"))])
    with acting(cast.charlie):
        assert page.show_rows("", None, 0, None)[0] == []
    received_alerts.expire(cast.acme, now=now + timedelta(minutes=6))
    with acting(cast.bob):
        assert page.show_rows("", None, 0, None)[0] == []
