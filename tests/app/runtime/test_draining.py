"""A stop: /readyz says so before the listener closes, and where nobody asks nobody waits."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.runtime.draining import ENOUGH_ANSWERS, Draining

APPLICATION = """
from flask import Flask
from app.api.health import blueprint, readyz
from app.runtime.readiness import Readiness

class Good(Readiness):
    def __init__(self): pass
    def reasons(self): return {}

def make():
    server = Flask("probes")
    server.register_blueprint(blueprint)
    server.extensions["watchfloor.readiness"] = Good()
    return server

application = make()
"""
CONFIGURATION = """
from app.runtime.draining import watch_stop
def on_starting(server): watch_stop(server)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """gunicorn with nothing but the probes, two workers, and its address."""
    (tmp_path / "probes.py").write_text(APPLICATION)
    (tmp_path / "conf.py").write_text(CONFIGURATION)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "gunicorn", "--config", str(tmp_path / "conf.py"), "--workers", "2"]
    command += ["--threads", "2", "--preload", "--no-control-socket", "--bind", f"127.0.0.1:{port}"]
    with subprocess.Popen([*command, "--pythonpath", f".,{tmp_path}", "probes:application"]) as process:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: status(f"{url}/healthz") == 200)
        yield process, url
        process.kill()


def test_a_balancer_hears_of_the_stop_before_the_listener_closes(server: tuple[subprocess.Popen[bytes], str]) -> None:
    process, url = server
    assert status(f"{url}/readyz") == 200
    process.send_signal(signal.SIGTERM)
    wait_until(lambda: status(f"{url}/readyz") == 503)
    answers = 1
    while (code := status(f"{url}/readyz")) is not None:
        assert code == 503
        answers += 1
        time.sleep(0.02)
    assert answers >= ENOUGH_ANSWERS
    assert process.wait(timeout=30) == 0


def test_where_nobody_asks_nobody_waits() -> None:
    board = Draining()
    assert not board.begin()
    board = Draining()
    assert not board.is_on()
    assert board.begin()
    assert not board.is_over()
    assert [board.is_on() for _ in range(ENOUGH_ANSWERS)] == [True] * ENOUGH_ANSWERS
    assert board.is_over()


def status(url: str) -> int | None:
    """What it answers; None when nobody listens."""
    try:
        return httpx.get(url, timeout=5).status_code
    except httpx.TransportError:
        return None


def wait_until(condition: object) -> None:
    assert callable(condition)
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)
