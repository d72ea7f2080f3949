"""A device stops answering: samples in, an alert on the list, one signed webhook, one mail, and the same for its end.

Everything is real: the durable stream, the drain, the reader and PromQL, the workers' queues, HTTP and SMTP receivers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_network

import numpy as np
import pytest
from redis import Redis

from app import jobs
from app.actions.channels import ChannelDraft, create_channel
from app.actions.evaluations import enqueue_due_groups
from app.actions.rules import install_starter_pack
from app.auth.sealing import open_keyring
from app.clock import utc_now
from app.domain.alerting.alert import Alert
from app.domain.alerting.rules import PROMQL
from app.domain.alerting.state import State
from app.domain.labels import encode_labels, labels_of
from app.domain.samples import Batch
from app.domain.tenancy import TenantId
from app.notify.base import Outbound, use_outbound
from app.notify.webhook import signature
from app.queries.alerts import AlertFilter, open_alerts, timeline
from app.queries.rules import groups
from ingest import shards
from ingest.accept import accept
from tests.factories.cast import Cast, create_cast
from tests.factories.servers import SECRET_KEY, Servers
from tests.fakes.http_receiver import Receiver, http_receiver
from tests.fakes.mail_sink import Sink, mail_sink
from workers.drain import Drain
from workers.run import work_once

ANY = AlertFilter(states=frozenset(State), order="oldest")


@dataclass
class Floor:
    """An installation with both tenants, two devices of acme, and somebody who listens."""

    cast: Cast
    servers: Servers
    receiver: Receiver
    sink: Sink
    drain: Drain

    def poll(self, at: datetime, up: dict[str, float], tenant: TenantId | None = None) -> None:
        """What one poll of every device says, through the door that all samples take."""
        keys = [
            encode_labels(labels_of({"__name__": "snmp_up", "device": device, "site": "berlin", "role": "core"}))
            for device in up
        ]
        count = len(keys)
        batch = Batch(
            keys=keys,
            series=np.arange(count, dtype=np.int32),
            ts_ms=np.full(count, int(at.timestamp() * 1000), dtype=np.int64),
            values=np.array(list(up.values()), dtype=np.float64),
        )
        accept(tenant or self.cast.acme, batch, source="test", request_id="r")
        self.drain.do_once()

    def evaluate(self, at: datetime) -> None:
        """The scheduler's look at `at`, and the workers until nothing is left to do."""
        enqueue_due_groups(at)
        queues = [job.queue for job in (jobs.EVALUATE, jobs.DELIVER)]
        assert work_once(self.servers.redis_url, queues, is_burst=True)

    def alerts(self) -> list[Alert]:
        return open_alerts(self.cast.vera, ANY)


@pytest.fixture
def floor(own_db: str, valkey: Redis, servers: Servers) -> Iterator[Floor]:
    open_keyring(SECRET_KEY)
    cast = create_cast()
    for tenant in (cast.acme, cast.globex):
        install_starter_pack(tenant)
    with http_receiver() as receiver, mail_sink() as sink:
        use_outbound(Outbound(base_url="https://noc.example", smtp_url=sink.url, allow=(ip_network("127.0.0.0/8"),)))
        create_channel(cast.alice, ChannelDraft("hook", "webhook", {"url": receiver.url}, "s3cret"))
        create_channel(cast.alice, ChannelDraft("mail", "email", {"to": ["noc@acme.example"]}))
        drain = Drain()
        for shard in range(shards.DEFAULT):
            drain.take(shard)
        yield Floor(cast, servers, receiver, sink, drain)


def test_from_a_silent_device_to_those_who_are_told(floor: Floor) -> None:
    begun = utc_now().replace(microsecond=0) - timedelta(seconds=20)
    floor.poll(begun, {"core-1": 1.0, "core-2": 1.0})
    floor.poll(begun, {"core-1": 1.0}, tenant=floor.cast.globex)
    floor.evaluate(utc_now() - timedelta(seconds=10))
    assert floor.alerts() == []

    floor.poll(begun + timedelta(seconds=15), {"core-1": 0.0, "core-2": 1.0})
    floor.evaluate(utc_now())
    [alert] = floor.alerts()
    assert (alert.name, alert.device, alert.state) == ("DeviceUnreachable", "core-1", State.FIRING)
    [hook] = floor.receiver.wait_for(1)
    assert hook.json()["alerts"][0]["labels"]["device"] == "core-1"
    assert hook.headers["x-watchfloor-signature"] == signature(
        "s3cret", hook.headers["x-watchfloor-timestamp"], hook.body
    )
    [mail] = floor.sink.mails
    assert mail.message["Subject"] == "[CRITICAL] core-1 does not answer"

    floor.evaluate(utc_now() + timedelta(seconds=5))
    assert (len(floor.receiver.requests), len(floor.sink.mails)) == (1, 1)

    floor.poll(utc_now(), {"core-1": 1.0, "core-2": 1.0})
    floor.evaluate(utc_now() + timedelta(seconds=11))  # more than one round of the group after the last look
    [alert] = floor.alerts()
    assert alert.state is State.RESOLVED
    assert [request.json()["status"] for request in floor.receiver.wait_for(2)] == ["firing", "resolved"]
    assert [mail.message["Subject"].partition("]")[0] for mail in floor.sink.mails] == ["[CRITICAL", "[RESOLVED"]
    kinds = sorted(entry.kind for entry in timeline(floor.cast.vera, alert.id))
    assert kinds == ["fired", "resolved", "sent", "sent", "sent", "sent"]
    rules = [stored for group in groups(floor.cast.vera) for stored in group.rules]
    # Those of other kinds wait for detection and for the night.
    assert {stored.health for stored in rules if stored.rule.kind == PROMQL} == {"ok"}
    assert open_alerts(floor.cast.charlie, ANY) == []
