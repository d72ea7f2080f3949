"""Forwarding waits as the server asks, tries again when that can help, and only then."""

from __future__ import annotations

import gzip
import json

import pytest

from ingest.agent.forward import Forwarder, NotTaken
from tests.fakes.http_receiver import Receiver, http_receiver

BODY = b'{"series": []}'
TOLD = json.dumps({"accepted": 3, "rejected": 0, "errors": []}).encode()


@pytest.fixture
def server():
    with http_receiver() as receiver:
        receiver.answers = [(202, {})]
        receiver.body = lambda send: send(TOLD)
        yield receiver


def sent(server: Receiver, waits: list[float], *, give_up_after_s: float = 60) -> int:
    with Forwarder(f"http://127.0.0.1:{server.port}", "the-token", sleep=waits.append) as forwarder:
        return forwarder.send(BODY, key="key-1", give_up_after_s=give_up_after_s)


def test_what_is_sent_is_compressed_and_carries_token_and_key(server: Receiver):
    assert sent(server, []) == 3
    [request] = server.requests
    assert request.path == "/api/v1/ingest"
    assert gzip.decompress(request.body) == BODY
    assert request.headers["authorization"] == "Bearer the-token"
    assert request.headers["idempotency-key"] == "key-1"
    assert request.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("status", "headers", "waits"),
    [
        (503, {"Retry-After": "7"}, [7.0]),
        (429, {"Retry-After": "2"}, [2.0]),
        (503, {"Retry-After": "86400"}, [60.0]),
        (502, {}, [1.0]),
    ],
)
def test_it_waits_as_long_as_the_server_asks(
    server: Receiver, status: int, headers: dict[str, str], waits: list[float]
):
    server.answers = [(status, headers), (202, {})]
    slept: list[float] = []
    assert sent(server, slept) == 3
    assert slept == waits
    assert len({request.headers["idempotency-key"] for request in server.requests}) == 1


def test_without_a_word_it_waits_longer_each_time(server: Receiver):
    server.answers = [(500, {}), (500, {}), (500, {}), (202, {})]
    slept: list[float] = []
    sent(server, slept)
    assert slept == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("status", [400, 401, 403, 413, 415])
def test_a_refusal_for_good_is_not_tried_again(server: Receiver, status: int):
    server.answers = [(status, {})]
    with pytest.raises(NotTaken, match=str(status)):
        sent(server, [])
    assert len(server.requests) == 1


def test_it_gives_up_in_the_end(server: Receiver):
    server.answers = [(503, {})]
    with pytest.raises(NotTaken, match="takes no samples"):
        sent(server, [], give_up_after_s=0)


def test_a_server_that_is_away_is_tried_again():
    slept: list[float] = []
    with Forwarder("http://127.0.0.1:9", "t", sleep=slept.append) as forwarder, pytest.raises(NotTaken):
        forwarder.send(BODY, key="k", give_up_after_s=0)
