"""From a transition to a real receiver: exactly one message each, also when things fail in between."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from ipaddress import ip_network

import pytest
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import update

from app.actions.alerts import resolve
from app.actions.channels import ChannelDraft, create_channel, update_channel
from app.actions.notifications import LEASE, Result, _claim, deliver, deliver_all_due, enqueue_due
from app.auth.sealing import open_keyring
from app.clock import utc_now
from app.domain.alerting.alert import Severity
from app.domain.alerting.rules import Rule
from app.notify.base import Outbound, use_outbound
from app.notify.webhook import signature
from app.queries import alerts
from app.queries.alerts import AlertFilter
from app.queries.channels import DeliveryRecord, deliveries
from models.alerting import DeliveryRow
from models.session import tenant_session
from tests.factories.alerting import Rounds, down
from tests.factories.cast import Cast
from tests.factories.servers import SECRET_KEY
from tests.fakes.http_receiver import Receiver, http_receiver
from tests.fakes.mail_sink import Sink, mail_sink

LOOPBACK = (ip_network("127.0.0.0/8"),)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with http_receiver() as running:
        yield running


@pytest.fixture
def sink() -> Iterator[Sink]:
    with mail_sink() as running:
        yield running


@pytest.fixture(autouse=True)
def _surroundings(valkey: Redis, sink: Sink) -> None:
    open_keyring(SECRET_KEY)
    use_outbound(Outbound(base_url="https://noc.example", smtp_url=sink.url, allow=LOOPBACK))


def webhook(cast: Cast, receiver: Receiver, **options: object) -> int:
    draft = ChannelDraft("hook", "webhook", {"url": receiver.url}, "s3cret", **options)  # type: ignore[arg-type]
    return create_channel(cast.alice, draft).id


def queued(cast: Cast) -> list[DeliveryRecord]:
    return [item for item in deliveries(cast.alice) if item.state == "queued"]


def deliver_all(cast: Cast, *, at: datetime | None = None) -> list[Result]:
    """Every queued delivery, oldest first, as the workers would."""
    now = at or utc_now() + timedelta(seconds=1)
    return [deliver(cast.acme, item.id, now=now) for item in reversed(queued(cast))]


def rounds_of(cast: Cast, **options: object) -> Rounds:
    """Rounds that began just now, as deliveries are due at the time of their round."""
    start = utc_now().replace(microsecond=0) - timedelta(seconds=60)
    return Rounds(cast.alice, start=start, **options)  # type: ignore[arg-type]


def test_start_and_end_arrive_once_signed_and_in_the_known_form(cast: Cast, receiver: Receiver) -> None:
    webhook(cast, receiver)
    rounds = rounds_of(cast)
    rounds.round(down("core-1"))
    rounds.round(down("core-1"))
    assert deliver_all(cast) == [Result.SENT]
    rounds.round()
    assert deliver_all(cast) == [Result.SENT]
    assert deliver_all(cast) == []
    start, end = receiver.requests
    body = start.json()
    assert (body["version"], body["status"], body["receiver"]) == ("4", "firing", "hook")
    assert body["alerts"][0]["labels"] == {
        "alertname": "DeviceUnreachable",
        "device": "core-1",
        "site": "berlin",
        "severity": "critical",
    }
    assert body["alerts"][0]["annotations"]["summary"] == "core-1 does not answer"
    assert body["alerts"][0]["generatorURL"].startswith("https://noc.example/alerts/")
    assert end.json()["status"] == "resolved"
    assert end.json()["alerts"][0]["startsAt"] == body["alerts"][0]["startsAt"]
    for request in (start, end):
        stamp = request.headers["x-watchfloor-timestamp"]
        assert request.headers["x-watchfloor-signature"] == signature("s3cret", stamp, request.body)
    assert start.headers["idempotency-key"] != end.headers["idempotency-key"]


def test_the_timeline_and_the_record_say_what_was_sent(cast: Cast, receiver: Receiver) -> None:
    webhook(cast, receiver)
    rounds_of(cast).round(down("core-1"))
    deliver_all(cast)
    [alert] = alerts.open_alerts(cast.alice, AlertFilter())
    entries = alerts.timeline(cast.alice, alert.id)
    assert [(entry.kind, entry.text) for entry in entries][-1] == ("sent", "firing sent to hook")
    [sent] = deliveries(cast.alice, alert_id=alert.id)
    assert (sent.state, sent.reason, sent.answer, sent.attempts) == ("sent", "started", "200 thanks", 1)


def test_a_crash_between_sending_and_recording_sends_again_with_the_same_key(cast: Cast, receiver: Receiver) -> None:
    webhook(cast, receiver)
    rounds_of(cast).round(down("core-1"))
    [item] = queued(cast)
    now = utc_now() + timedelta(seconds=1)
    with tenant_session(cast.acme) as session:
        _claim(session, cast.acme, item.id, now)
    # The first worker is gone; nobody else may have it before its lease ends.
    assert deliver(cast.acme, item.id, now=now + timedelta(seconds=30)) is Result.NOT_DUE
    assert deliver(cast.acme, item.id, now=now + LEASE) is Result.SENT
    # And once more, as if the record of that one had been lost too.
    with tenant_session(cast.acme) as session:
        session.execute(update(DeliveryRow).values(state="queued", sent_at=None))
    assert deliver(cast.acme, item.id, now=now + 2 * LEASE) is Result.SENT
    first, second = receiver.requests
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.body == second.body


@pytest.mark.parametrize(
    ("answer", "result", "state"),
    [
        pytest.param((500, {}), Result.RETRY, "queued", id="a server that fails is tried again"),
        pytest.param((503, {"Retry-After": "120"}), Result.RETRY, "queued", id="so is one that says when"),
        pytest.param((429, {"Retry-After": "120"}), Result.RETRY, "queued", id="and one that is asked too often"),
        pytest.param((400, {}), Result.FAILED, "failed", id="a refusal is final"),
        pytest.param((404, {}), Result.FAILED, "failed", id="an address that is gone is final"),
        pytest.param((302, {"Location": "http://127.0.0.1/"}), Result.FAILED, "failed", id="no redirect is followed"),
    ],
)
def test_what_becomes_of_a_refusal(
    cast: Cast, receiver: Receiver, answer: tuple[int, dict[str, str]], result: Result, state: str
) -> None:
    webhook(cast, receiver)
    receiver.answers = [answer]
    rounds_of(cast).round(down("core-1"))
    assert deliver_all(cast) == [result]
    [item] = deliveries(cast.alice)
    assert (item.state, item.attempts) == (state, 1)
    assert str(answer[0]) in item.answer
    if "Retry-After" in answer[1]:
        assert item.due_at >= utc_now() + timedelta(seconds=110)


def test_it_arrives_in_the_end_with_the_same_key_at_every_try(cast: Cast, receiver: Receiver) -> None:
    webhook(cast, receiver)
    receiver.answers = [(500, {}), (429, {}), (200, {})]
    rounds_of(cast).round(down("core-1"))
    hour = utc_now() + timedelta(hours=1)
    assert [deliver_all(cast, at=hour)[0] for _ in range(3)] == [Result.RETRY, Result.RETRY, Result.SENT]
    assert len({request.headers["idempotency-key"] for request in receiver.requests}) == 1


def test_a_recovery_waits_for_its_start(cast: Cast, receiver: Receiver) -> None:
    webhook(cast, receiver)
    receiver.answers = [(500, {}), (200, {})]
    rounds = rounds_of(cast)
    rounds.round(down("core-1"))
    assert deliver_all(cast) == [Result.RETRY]
    rounds.round()
    start, end = reversed(queued(cast))
    assert deliver(cast.acme, end.id, now=utc_now() + timedelta(seconds=1)) is Result.WAITS
    later = utc_now() + timedelta(hours=1)
    assert deliver(cast.acme, start.id, now=later) is Result.SENT
    assert deliver(cast.acme, end.id, now=later) is Result.SENT
    assert [request.json()["status"] for request in receiver.requests] == ["firing", "firing", "resolved"]


def test_no_recovery_without_a_start(cast: Cast, receiver: Receiver) -> None:
    webhook(cast, receiver)
    receiver.answers = [(400, {})]
    rounds = rounds_of(cast)
    rounds.round(down("core-1"))
    deliver_all(cast)
    rounds.round()
    recovery = deliveries(cast.alice)[0]
    assert (recovery.event, recovery.state, recovery.reason) == ("resolved", "suppressed", "never_announced")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        pytest.param({"min_severity": Severity.CRITICAL}, "below_severity", id="not bad enough for this channel"),
        pytest.param({"is_enabled": False}, "channel_disabled", id="channel switched off"),
    ],
)
def test_who_is_not_told_and_why(cast: Cast, receiver: Receiver, options: dict[str, object], reason: str) -> None:
    webhook(cast, receiver, **options)
    rounds_of(cast, rule=Rule("R", "x", severity=Severity.MINOR)).round(down("core-1"))
    [item] = deliveries(cast.alice)
    assert (item.state, item.reason) == ("suppressed", reason)


def test_a_channel_switched_off_after_the_event_is_not_sent_to(cast: Cast, receiver: Receiver) -> None:
    channel_id = webhook(cast, receiver)
    rounds_of(cast).round(down("core-1"))
    update_channel(cast.alice, channel_id, ChannelDraft("hook", "webhook", {"url": receiver.url}, is_enabled=False))
    assert deliver_all(cast) == [Result.SUPPRESSED]
    assert receiver.requests == []


def test_an_alert_resolved_by_hand_tells_its_end(cast: Cast, receiver: Receiver) -> None:
    webhook(cast, receiver)
    rounds_of(cast).round(down("core-1"))
    deliver_all(cast)
    [alert] = alerts.open_alerts(cast.alice, AlertFilter())
    resolve(cast.bob, [alert.id])
    assert deliver_all(cast) == [Result.SENT]
    assert receiver.requests[-1].json()["status"] == "resolved"


def test_mail_arrives_once_with_text_and_html(cast: Cast, sink: Sink) -> None:
    create_channel(cast.alice, ChannelDraft("mail", "email", {"to": ["noc@example.org"]}))
    rounds_of(cast).round(down("core-1"))
    assert deliver_all(cast) == [Result.SENT]
    [mail] = sink.mails
    assert mail.recipients == ("noc@example.org",)
    assert mail.message["Subject"] == "[CRITICAL] core-1 does not answer"
    plain = mail.message.get_body(("plain",))
    html = mail.message.get_body(("html",))
    assert plain is not None and "https://noc.example/alerts/" in plain.get_content()
    assert html is not None and "core-1 does not answer" in html.get_content()


def test_a_mail_server_that_is_busy_is_tried_again(cast: Cast, sink: Sink) -> None:
    create_channel(cast.alice, ChannelDraft("mail", "email", {"to": ["noc@example.org"]}))
    sink.refusals = ["451 later", "554 never"]
    rounds_of(cast).round(down("core-1"))
    hour = utc_now() + timedelta(hours=1)
    assert [deliver_all(cast, at=hour)[0] for _ in range(2)] == [Result.RETRY, Result.FAILED]


def test_a_device_name_cannot_break_out_of_the_mail(cast: Cast, sink: Sink) -> None:
    create_channel(cast.alice, ChannelDraft("mail", "email", {"to": ["noc@example.org"]}))
    rounds_of(cast).round(down("core\r\nBcc: evil@example.org\r\n\r\n<script>alert(1)</script>"))
    deliver_all(cast)
    [mail] = sink.mails
    assert mail.recipients == ("noc@example.org",)
    assert mail.message["Bcc"] is None
    html = mail.message.get_body(("html",))
    assert html is not None and "<script>" not in html.get_content()


def test_due_deliveries_are_put_back_on_the_queue_once(cast: Cast, receiver: Receiver, valkey: Redis) -> None:
    webhook(cast, receiver)
    rounds_of(cast).round(down("core-1"))
    queue = Queue("notify", connection=valkey, serializer=JSONSerializer)
    [item] = queued(cast)
    assert [job.kwargs for job in queue.jobs] == [{"tenant": cast.acme, "delivery_id": item.id}]
    queue.empty()
    now = utc_now() + timedelta(seconds=1)
    assert [enqueue_due(now), enqueue_due(now)] == [1, 0]
    deliver(cast.acme, item.id, now=now)
    valkey.flushdb()
    assert enqueue_due(now) == 0


def test_a_storm_needs_few_jobs_and_every_message_arrives_once(cast: Cast, receiver: Receiver, valkey: Redis) -> None:
    webhook(cast, receiver)
    rounds_of(cast).round(*(down(f"acc-{index}") for index in range(30)))
    queue = Queue("notify", connection=valkey, serializer=JSONSerializer)
    assert 1 <= len(queue.jobs) <= 8
    assert deliver_all_due(cast.acme, queue.jobs[0].kwargs["delivery_id"]) == 30
    assert deliver_all_due(cast.acme, queue.jobs[1].kwargs["delivery_id"]) == 0
    assert len({request.headers["idempotency-key"] for request in receiver.requests}) == len(receiver.requests) == 30


def test_charlie_of_globex_gets_none_of_it(cast: Cast, receiver: Receiver) -> None:
    create_channel(cast.charlie, ChannelDraft("hook", "webhook", {"url": receiver.url}))
    rounds_of(cast).round(down("core-1"))
    assert deliveries(cast.charlie) == []
    [alert] = alerts.open_alerts(cast.alice, AlertFilter())
    assert deliveries(cast.charlie, alert_id=alert.id) == []
    webhook(cast, receiver)
    rounds_of(cast, rule=Rule("Other", "x"), name="other").round(down("core-2"))
    [item] = queued(cast)
    assert deliver(cast.globex, item.id, now=utc_now() + timedelta(seconds=1)) is Result.NOT_DUE
    assert receiver.requests == []
