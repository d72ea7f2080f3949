"""Prometheus's own command line tool reads our answers: the client library that Grafana and others use."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator

import pytest
from redis import Redis
from werkzeug.serving import make_server as make_http_server

from app.domain.tenancy import Scope
from tests.factories.browser import make_server, token_for
from tests.factories.cast import Cast
from tests.factories.samples import store_all

PROMTOOL = shutil.which("promtool")
T0 = 1_770_000_000

pytestmark = pytest.mark.skipif(PROMTOOL is None, reason="Debian's package prometheus is not installed")

Promtool = Callable[..., str]


@pytest.fixture
def promtool(cast: Cast, valkey: Redis) -> Iterator[Promtool]:
    """Run `promtool query …` against a server of ours with the token as password, as Prometheus clients send it."""
    store_all(
        cast.acme,
        [
            ({"__name__": "up", "device": f"r{number}"}, [(T0 * 1000 + 15_000 * row, row * number) for row in range(5)])
            for number in (1, 2)
        ],
    )
    secret = token_for(cast.vera, Scope.READ)["Authorization"].removeprefix("Bearer ")
    http = make_http_server("127.0.0.1", 0, make_server())
    thread = threading.Thread(target=http.serve_forever)
    thread.start()

    def run(*arguments: str) -> str:
        url = f"http://watchfloor:{secret}@127.0.0.1:{http.port}"
        command = [str(PROMTOOL), "query", *(url if each == "URL" else each for each in arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    yield run
    http.shutdown()
    thread.join()
    http.server_close()


def test_instant_and_range(promtool: Promtool) -> None:
    answer = promtool("instant", f"--time={T0 + 60}", "URL", "sum(up)")
    assert answer == f"{{}} => 12 @[{T0 + 60}]\n"
    answer = promtool("range", f"--start={T0}", f"--end={T0 + 60}", "--step=30s", "URL", 'up{device="r2"}')
    assert answer.splitlines() == [
        'up{device="r2"} =>',
        f"0 @[{T0}]",
        f"4 @[{T0 + 30}]",
        f"8 @[{T0 + 60}]",
    ]


def test_series_and_labels(promtool: Promtool) -> None:
    times = (f"--start={T0}", f"--end={T0 + 60}")
    assert promtool("series", "--match=up", *times, "URL").splitlines() == [
        '{__name__="up", device="r1"}',
        '{__name__="up", device="r2"}',
    ]
    assert promtool("labels", *times, "URL", "device").splitlines() == ["r1", "r2"]
