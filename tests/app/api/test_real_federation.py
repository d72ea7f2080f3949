"""A real Prometheus federates from us: it scrapes /federate with a token and keeps labels, values and times."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from werkzeug.serving import make_server as make_http_server

from app.clock import now_ms
from app.domain.tenancy import Scope
from tests.factories.browser import make_server, token_for
from tests.factories.cast import Cast
from tests.factories.processes import wait_until
from tests.factories.prometheus import BINARY, RealPrometheus, real_prometheus
from tests.factories.samples import store_all

CONFIG = """
scrape_configs:
  - job_name: watchfloor
    scrape_interval: 1s
    honor_labels: true
    metrics_path: /federate
    params:
      'match[]': ['{{device="sw-1"}}', 'up']
    authorization:
      credentials: {secret}
    static_configs:
      - targets: ['127.0.0.1:{port}']
"""

pytestmark = pytest.mark.skipif(BINARY is None, reason="Debian's package prometheus is not installed")


def test_a_prometheus_above_us(cast: Cast, valkey: Redis, tmp_path: Path) -> None:
    at = now_ms() - 2000
    store_all(
        cast.acme,
        [
            ({"__name__": "if_up", "device": "sw-1", "ifName": 'ge"0', "instance": "sw-1:161"}, [(at, 1.0)]),
            ({"__name__": "load_ratio", "device": "sw-1"}, [(at - 20_000, 0.25)]),
            ({"__name__": "load_ratio", "device": "sw-2"}, [(at, 0.5)]),
        ],
    )
    secret = token_for(cast.vera, Scope.READ)["Authorization"].removeprefix("Bearer ")
    http = make_http_server("127.0.0.1", 0, make_server())
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    try:
        config = CONFIG.format(secret=secret, port=http.port)
        with real_prometheus(tmp_path, config) as above:
            wait_until(lambda: _all(above, "load_ratio"), "nothing was federated")
            assert _all(above, 'up{job="watchfloor"}')[0][1] == "1"
            at_s = f"{(at - 20_000) / 1000:.3f}".rstrip("0").rstrip(".")
            labels = {"device": "sw-1", "job": "watchfloor"}
            assert _all(above, "timestamp(load_ratio)") == [(labels, at_s)]
            assert _all(above, "load_ratio") == [({"__name__": "load_ratio", **labels}, "0.25")]
            port = {"__name__": "if_up", "ifName": 'ge"0', "instance": "sw-1:161"}
            assert _all(above, "if_up") == [(port | labels, "1")]
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def _all(prometheus: RealPrometheus, expr: str) -> list[tuple[dict[str, Any], str]]:
    found = prometheus.get("query", query=expr)["data"]["result"]
    return [(series["metric"], series["value"][1]) for series in found]
