"""/federate in Prometheus's text format; a real Prometheus federates from it in test_real_federation.py."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from redis import Redis

from app.clock import now_ms
from app.domain.samples import STALE
from app.domain.tenancy import Scope
from tests.factories.browser import make_server, token_for
from tests.factories.cast import Cast
from tests.factories.samples import store_all

UTF8 = "text/plain;version=0.0.4;escaping=allow-utf-8"


@pytest.fixture
def now(cast: Cast, valkey: Redis) -> int:
    """The time of the newest samples: a second ago, in ms."""
    at = now_ms() - 1000
    store_all(
        cast.acme,
        [
            ({"__name__": "load", "site": "north"}, [(at - 60_000, 1.0), (at, 2.5)]),
            ({"__name__": "load", "site": 'q"\\\n', "instance": "a:1"}, [(at - 30_000, float("nan"))]),
            ({"__name__": "load", "site": "gone"}, [(at - 60_000, 1.0), (at, STALE)]),
            ({"__name__": "load", "site": "old"}, [(at - 400_000, 1.0)]),
            ({"__name__": "odd.name", "if.name": "eth0"}, [(at, 1e21)]),
        ],
    )
    return at


def ask(cast: Cast, *selectors: str, who: str = "vera", **headers: str) -> Any:
    client: FlaskClient = make_server().test_client()
    token = token_for(getattr(cast, who), Scope.READ)
    return client.get("/federate", query_string={"match[]": list(selectors)}, headers={**token, **headers})


def test_the_newest_samples_with_their_own_times(cast: Cast, now: int) -> None:
    answer = ask(cast, 'load{site!="gone"}', '{site="gone"}')
    assert (answer.status_code, answer.mimetype) == (200, "text/plain")
    assert answer.text == (
        "# TYPE load untyped\n"
        f'load{{instance="a:1",site="q\\"\\\\\\n"}} NaN {now - 30_000}\n'
        f'load{{site="north",instance=""}} 2.5 {now}\n'
    )


def test_names_that_are_no_identifiers(cast: Cast, now: int) -> None:
    assert ask(cast, '{"odd.name"}').text == (
        f'# TYPE odd_name untyped\nodd_name{{if_name="eth0",instance=""}} 1e+21 {now}\n'
    )
    answer = ask(cast, '{"odd.name"}', Accept=UTF8)
    assert answer.text == f'# TYPE "odd.name" untyped\n{{"odd.name","if.name"="eth0",instance=""}} 1e+21 {now}\n'
    assert "escaping=allow-utf-8" in answer.headers["Content-Type"]


def test_refusals_are_a_line_of_text(cast: Cast, now: int) -> None:
    answer = ask(cast, "sum(load)")
    assert (answer.status_code, answer.mimetype) == (400, "text/plain")
    assert "expected an instant vector selector" in answer.text
    assert ask(cast).text == ""
    assert make_server().test_client().get("/federate?match[]=load").status_code == 401


def test_charlie_of_globex_sees_nothing_of_acme(cast: Cast, now: int) -> None:
    answer = ask(cast, '{__name__=~".+"}', who="charlie")
    assert (answer.status_code, answer.text) == (200, "")
