"""A real Prometheus on loopback, fed by remote write: what our answers are compared with."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from app.domain.labels import Labels
from tests.factories.remote_write import HEADERS, write_body

BINARY = shutil.which("prometheus")
BATCH_MS = 600_000


@dataclass(frozen=True)
class RealPrometheus:
    """A running server."""

    url: str
    client: httpx.Client

    def write(self, series: Mapping[Labels, Mapping[int, float]]) -> None:
        """Send samples in the order of their times: it refuses what is much older than the newest."""
        times = sorted({ts_ms for samples in series.values() for ts_ms in samples})
        for begin in range(times[0], times[-1] + 1, BATCH_MS):
            body = write_body(
                (labels, [(ts, value) for ts, value in sorted(samples.items()) if begin <= ts < begin + BATCH_MS])
                for labels, samples in series.items()
            )
            answer = self.client.post(f"{self.url}/api/v1/write", content=body, headers=HEADERS)
            assert answer.status_code == 204, answer.text

    def get(self, path: str, **parameters: str) -> dict[str, Any]:
        """What it answers, success or not."""
        answer: dict[str, Any] = self.client.post(f"{self.url}/api/v1/{path}", data=parameters).json()
        return answer


@contextmanager
def real_prometheus(folder: Path, config: str = "") -> Iterator[RealPrometheus]:
    """Start the machine's Prometheus with an empty store in `folder`; stop it afterwards."""
    assert BINARY is not None
    (folder / "prometheus.yml").write_text(config)
    port = _free_port()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [
                BINARY,
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
                "--web.enable-remote-write-receiver",
                "--storage.tsdb.retention.time=100y",
                "--log.level=warn",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(url, process, folder / "log")
        with httpx.Client(timeout=30) as client:
            yield RealPrometheus(url, client)
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"Prometheus ended: {log.read_text()[-2000:]}")
        try:
            if httpx.get(f"{url}/-/ready", timeout=1).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError("Prometheus did not become ready")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
