"""A real Prometheus scrapes a target of ours and writes what it finds to a real web process of ours."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from shutil import which
from threading import Thread

import numpy as np
import pytest

from app.domain.labels import Matcher, MatchOp
from app.domain.samples import is_stale
from app.runtime.servers import free_port
from app.tsdb.reader import Reader
from tests.factories.stack import Stack, running_stack

PATIENCE_S = 40.0
scrapes = count(1)


class Target(BaseHTTPRequestHandler):
    """Something to scrape: a counter that counts scrapes, a gauge that stays zero, an odd name."""

    def do_GET(self) -> None:
        body = (
            "# HELP polls_total How often.\n# TYPE polls_total counter\n"
            f"polls_total {next(scrapes)}\n"
            "# HELP errors Nothing yet.\n# TYPE errors gauge\n"
            'errors{port="xe-0/0/1",note="größer \\"quoted\\""} 0\n'
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def target() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Target)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with running_stack(tmp_path / "home", ("web", "worker-ingest", "worker-default", "scheduler")) as started:
        yield started


CONFIG = """
global: {{scrape_interval: 500ms, scrape_timeout: 400ms}}
scrape_configs:
- job_name: node
  static_configs: [{{targets: ["127.0.0.1:{target}"]}}]
remote_write:
- url: {url}/api/v1/write
  authorization: {{credentials: "{secret}"}}
  queue_config: {{batch_send_deadline: 200ms, min_backoff: 50ms}}
  metadata_config: {{send_interval: 1s}}
"""


@pytest.mark.skipif(which("prometheus") is None, reason="Debian's prometheus is not installed")
def test_what_prometheus_scrapes_is_stored(stack: Stack, target: ThreadingHTTPServer, tmp_path: Path) -> None:
    tenant, headers = stack.tenant("acme")
    secret = headers["Authorization"].removeprefix("Bearer ")
    config = tmp_path / "prometheus.yml"
    config.write_text(CONFIG.format(target=target.server_port, url=stack.url, secret=secret))
    command = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={tmp_path / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{free_port()}",
    ]
    reader = Reader(tenant)

    def values_of(metric: str) -> np.ndarray:
        matcher = Matcher("__name__", MatchOp.EQUAL, metric)
        blocks = reader.select([matcher], start_ms=0, end_ms=2**42)
        return blocks[0].values[:, 0] if blocks else np.empty(0)

    with (tmp_path / "prometheus.log").open("wb") as log:
        prometheus = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            assert stack.tend(
                PATIENCE_S, lambda: len(values_of("polls_total")) >= 5 and bool(reader.metadata("polls_total"))
            ), (tmp_path / "prometheus.log").read_text()[-2000:]
        finally:
            prometheus.terminate()
            prometheus.wait(20)
    polls = values_of("polls_total")
    assert (np.diff(polls[~is_stale(polls)]) >= 1).all()
    assert set(values_of("errors")[:3].tolist()) == {0.0}
    assert values_of("up")[0] == 1.0
    (labels,) = reader.series([[Matcher("__name__", MatchOp.EQUAL, "errors")]], start_ms=0, end_ms=2**42)
    assert dict(labels) == {
        "__name__": "errors",
        "instance": f"127.0.0.1:{target.server_port}",
        "job": "node",
        "note": 'größer "quoted"',
        "port": "xe-0/0/1",
    }
    (told,) = reader.metadata("polls_total")
    assert (told.kind, told.help) == ("counter", "How often.")
    assert "level=error" not in (tmp_path / "prometheus.log").read_text()
