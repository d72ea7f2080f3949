"""Planning messages: once each, also when the same event comes twice, and never to another tenant's channels."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

import pytest
from redis import Redis
from sqlalchemy import select

from app.actions.channels import ChannelDraft, create_channel
from app.actions.outbox import plan
from app.auth.sealing import open_keyring
from app.clock import utc_now
from app.domain.alerting.rules import AlertEvent
from app.notify.base import Outbound, use_outbound
from app.queries.channels import deliveries
from models.alerting import AlertRow
from models.session import tenant_session
from tests.factories.alerting import Rounds, down
from tests.factories.cast import Cast
from tests.factories.servers import SECRET_KEY


@pytest.fixture(autouse=True)
def _channels(cast: Cast, valkey: Redis) -> Iterator[None]:
    """Both tenants have a channel of the same name."""
    open_keyring(SECRET_KEY)
    use_outbound(Outbound(allow=(ip_network("127.0.0.0/8"),)))
    for viewer in (cast.alice, cast.charlie):
        create_channel(viewer, ChannelDraft("hook", "webhook", {"url": "http://127.0.0.1:9/"}))
    yield


def plan_again(cast: Cast, event: AlertEvent) -> list[int]:
    with tenant_session(cast.acme) as session:
        row = session.scalars(select(AlertRow)).one()
        return plan(session, cast.acme, [(row, event)], now=utc_now())


def test_the_same_event_planned_twice_is_one_message(cast: Cast) -> None:
    Rounds(cast.alice).round(down("core-1"))
    [first] = deliveries(cast.alice)
    assert plan_again(cast, AlertEvent.FIRING) == [first.id]
    assert deliveries(cast.alice) == [first]


def test_an_end_is_planned_for_those_who_heard_of_the_start(cast: Cast) -> None:
    Rounds(cast.alice).round(down("core-1"))
    plan_again(cast, AlertEvent.RESOLVED)
    assert [(item.event, item.state) for item in deliveries(cast.alice)] == [
        ("resolved", "queued"),
        ("firing", "queued"),
    ]


def test_nothing_is_planned_for_the_channels_of_charlie(cast: Cast) -> None:
    Rounds(cast.alice).round(down("core-1"))
    assert len(deliveries(cast.alice)) == 1
    assert deliveries(cast.charlie) == []
