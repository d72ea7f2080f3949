"""What a tenant's webhook may not reach, and how far a hostile receiver gets."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address, ip_network

import pytest

from app.errors import DeliveryError, InvalidInput
from app.notify import http
from app.notify.base import Outbound
from app.notify.http import may_reach, parse_target, post
from app.notify.webhook import Webhook
from tests.fakes.http_receiver import Receiver, http_receiver

LOOPBACK = (ip_network("127.0.0.0/8"),)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with http_receiver() as running:
        yield running


def answers(*addresses: str) -> Callable[[str, int], Sequence[str]]:
    return lambda _host, _port: addresses


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://0x7f000001/",
        "http://2130706433/",
        "http://0177.0.0.1/",
        "http://localhost:8050/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[::127.0.0.1]/",
        "http://[64:ff9b::127.0.0.1]/",
        "http://[2002:7f00:1::]/",
        "http://[fec0::1]/",
        "http://[fe80::1]/",
        "http://[fd00::1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://0.0.0.0/",
        "http://0/",
        "http://10.0.0.1/",
        "http://100.64.0.1/",
        "http://192.168.1.1/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
    ],
)
def test_an_address_that_is_not_public_is_refused_at_save_and_at_send(url: str) -> None:
    with pytest.raises(InvalidInput):
        Webhook().check({"url": url}, Outbound())
    with pytest.raises(DeliveryError) as caught:
        post(url, b"{}", headers={}, outbound=Outbound())
    assert caught.value.permanent


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://hooks.example@127.0.0.1/", id="user name that looks like a host"),
        pytest.param("http://127.0.0.1@hooks.example/", id="host that looks like a user name"),
        pytest.param("http://user:secret@hooks.example/", id="password in the address"),
        pytest.param("http://hooks.example\\@127.0.0.1/", id="backslash"),
        pytest.param("http://hooks.example\r\nHost: x/", id="line break"),
        pytest.param("http://hooks.example/ x", id="blank"),
        pytest.param("file:///etc/passwd", id="file"),
        pytest.param("gopher://hooks.example/", id="gopher"),
        pytest.param("//hooks.example/", id="no scheme"),
        pytest.param("http:///path", id="no host"),
        pytest.param("http://hooks.example:99999/", id="no port"),
        pytest.param("http://[::1/", id="broken bracket"),
    ],
)
def test_an_address_that_hides_where_it_leads_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput):
        parse_target(url)


def test_every_answer_of_the_name_server_must_be_public() -> None:
    outbound = Outbound(resolve=answers("93.184.216.34", "127.0.0.1"))
    with pytest.raises(DeliveryError, match="not public"):
        post("http://hooks.example/", b"", headers={}, outbound=outbound)


def test_a_second_answer_of_the_name_server_reaches_nobody(receiver: Receiver) -> None:
    asked: list[str] = []

    def rebinding(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    outbound = Outbound(resolve=rebinding, allow=LOOPBACK)
    post(f"http://hooks.example:{receiver.port}/", b"{}", headers={}, outbound=outbound)
    assert asked == ["hooks.example"]
    assert receiver.requests[0].headers["host"] == f"hooks.example:{receiver.port}"


def test_what_the_operator_allows_is_reached_and_no_more(receiver: Receiver) -> None:
    post(receiver.url, b"{}", headers={}, outbound=Outbound(allow=LOOPBACK))
    assert len(receiver.requests) == 1
    assert not may_reach(ip_address("10.0.0.1"), Outbound(allow=LOOPBACK))
    assert may_reach(ip_address("::ffff:127.0.0.1"), Outbound(allow=LOOPBACK))
    assert may_reach(ip_address("93.184.216.34"), Outbound())
    assert may_reach(ip_address("2606:2800:220:1::1"), Outbound())


def test_ports_of_our_own_servers_are_refused_whatever_is_allowed(receiver: Receiver) -> None:
    outbound = Outbound(allow=LOOPBACK, own_ports=frozenset({receiver.port}))
    with pytest.raises(DeliveryError, match="belongs to a server of this installation"):
        post(receiver.url, b"{}", headers={}, outbound=outbound)
    assert receiver.requests == []


def test_a_redirect_to_the_inside_is_not_followed(receiver: Receiver) -> None:
    receiver.answers = [(307, {"Location": receiver.url})]
    with pytest.raises(DeliveryError, match="redirects are not followed"):
        post(receiver.url, b"{}", headers={}, outbound=Outbound(allow=LOOPBACK))
    assert len(receiver.requests) == 1


def test_an_endless_answer_is_cut(receiver: Receiver) -> None:
    def endless(send: Callable[[bytes], None]) -> None:
        while True:
            send(b"x" * 65536)

    receiver.body = endless
    answer = post(receiver.url, b"{}", headers={}, outbound=Outbound(allow=LOOPBACK))
    assert len(answer.text) == http.SIZE_LIMIT


def test_an_answer_that_drips_is_cut(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "TIME_LIMIT_S", 0.5)

    def drip(send: Callable[[bytes], None]) -> None:
        for _ in range(200):
            send(b"x")
            time.sleep(0.05)

    receiver.body = drip
    with pytest.raises(DeliveryError, match="no answer within") as caught:
        post(receiver.url, b"{}", headers={}, outbound=Outbound(allow=LOOPBACK))
    assert not caught.value.permanent


def test_nobody_listening_is_worth_another_try() -> None:
    with http_receiver() as gone:
        url = gone.url
    with pytest.raises(DeliveryError, match="connection failed") as caught:
        post(url, b"{}", headers={}, outbound=Outbound(allow=LOOPBACK))
    assert not caught.value.permanent


def test_a_name_that_does_not_resolve_is_worth_another_try() -> None:
    def fails(_host: str, _port: int) -> Sequence[str]:
        raise OSError("no such name")

    outbound = Outbound(resolve=fails)
    with pytest.raises(DeliveryError, match="cannot be resolved") as caught:
        post("http://hooks.example/", b"", headers={}, outbound=outbound)
    assert not caught.value.permanent
    assert Webhook().check({"url": "http://hooks.example/"}, outbound) == {"url": "http://hooks.example/"}


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("120", 120), ("-5", 0), ("999999", 3600), ("soon", None), ("Tue, 24 Nov 2020 12:00:00 GMT", 0)],
)
def test_retry_after(receiver: Receiver, written: str, seconds: int | None) -> None:
    receiver.answers = [(429, {"Retry-After": written})]
    with pytest.raises(DeliveryError) as caught:
        post(receiver.url, b"{}", headers={}, outbound=Outbound(allow=LOOPBACK))
    assert caught.value.retry_after_s == seconds
