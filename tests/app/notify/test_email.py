"""Mail addresses, headers and the connection to the mail server."""

from __future__ import annotations

import pytest

from app.errors import DeliveryError, InvalidInput
from app.notify.base import Message, Outbound
from app.notify.email import Email, compose
from app.notify.render import one_line, subject
from tests.fakes.mail_sink import mail_sink


def message(**changes: object) -> Message:
    told: dict[str, object] = {
        "key": "wf-7-firing-1",
        "channel": "mail",
        "status": "firing",
        "name": "DeviceUnreachable",
        "severity": "critical",
        "summary": "core-1 does not answer",
        "labels": {"device": "core-1"},
        "annotations": {"description": "No answer."},
        "fingerprint": "00",
        "value": "0.0",
        "starts_at": "2026-11-24T12:00:00+00:00",
        "ends_at": None,
        "base_url": "https://noc.example",
        "path": "/alerts/7",
    }
    return Message(**{**told, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "to",
    [
        [],
        "",
        ["noc"],
        ["noc@example.org\r\nBcc: evil@example.org"],
        ["noc@example.org, evil@example.org"],
        ["noc@example.org\n"],
        ['"a b"@example.org'],
        ["Noc <noc@example.org>"],
        ["noc@"],
        [7],
        ["a@example.org"] * 51,
    ],
)
def test_what_is_not_plainly_an_address_is_refused(to: object) -> None:
    with pytest.raises(InvalidInput):
        Email().check({"to": to}, Outbound())


def test_one_address_may_be_given_without_a_list() -> None:
    assert Email().check({"to": "noc@example.org"}, Outbound()) == {"to": ["noc@example.org"]}
    with pytest.raises(InvalidInput):
        Email().check({"to": "noc@example.org", "from": "boss@example.org"}, Outbound())


def test_line_breaks_in_names_stay_in_one_header() -> None:
    mail = compose(message(summary="x\r\nBcc: evil@example.org\u2028y"), ["noc@example.org"], "wf@example.org")
    assert mail["Subject"] == "[CRITICAL] x Bcc: evil@example.org y"
    assert mail["Bcc"] is None
    assert one_line("a\x00b\x1b[31m\u202ec") == "a b [31m c"


@pytest.mark.parametrize(
    ("status", "expected"),
    [("firing", "[CRITICAL] core-1"), ("resolved", "[RESOLVED] core-1"), ("test", "[TEST] core-1")],
)
def test_subject(status: str, expected: str) -> None:
    assert subject(message(status=status)).startswith(expected)


def test_the_same_delivery_is_the_same_mail() -> None:
    first, second = (compose(message(), ["noc@example.org"], "wf@example.org")["Message-ID"] for _ in range(2))
    assert first == second == "<wf-7-firing-1@watchfloor>"


def test_without_a_mail_server_it_fails_at_once() -> None:
    with pytest.raises(DeliveryError, match="WATCHFLOOR_SMTP_URL") as caught:
        Email().send(message(), {"to": ["noc@example.org"]}, "", Outbound())
    assert caught.value.permanent


def test_a_server_that_is_away_is_worth_another_try() -> None:
    with mail_sink() as gone:
        url = gone.url
    with pytest.raises(DeliveryError) as caught:
        Email().send(message(), {"to": ["noc@example.org"]}, "", Outbound(smtp_url=url))
    assert not caught.value.permanent


def test_an_error_tells_no_password() -> None:
    with mail_sink() as gone:
        url = gone.url.replace("smtp://", "smtp://user:hunter2@")
    with pytest.raises(DeliveryError) as caught:
        Email().send(message(), {"to": ["noc@example.org"]}, "", Outbound(smtp_url=url))
    assert "hunter2" not in str(caught.value)
