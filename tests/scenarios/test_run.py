"""`python -m app up` as people know it: it starts, answers, stops without a trace, and has everything again."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from app.runtime.servers import free_port, is_free
from tests.factories.processes import wait_until

ROOT = Path(__file__).parents[2]
# The promise is ten seconds; a machine that runs the whole suite may be slower.
STOP_S = 30


@contextmanager
def installation(home: Path, *options: str, port: int, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """`up` in a home of its own; killed at the end if it still runs."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WATCHFLOOR_")}
    with (home.parent / f"{home.name}.out").open("a") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "app", "up", "--port", str(port), *options],
            cwd=ROOT,
            env={**clean, "WATCHFLOOR_HOME": str(home), **environment},
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def said(home: Path) -> str:
    """What `up` has printed."""
    return (home.parent / f"{home.name}.out").read_text()


def wait_for(home: Path, word: str, process: subprocess.Popen[str]) -> None:
    """Wait for a line of progress."""
    wait_until(lambda: word in said(home) or process.poll() is not None, said(home), limit_s=120)
    assert word in said(home), said(home)


def below(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Every process of an installation."""
    return psutil.Process(process.pid).children(recursive=True)


def server_of(process: subprocess.Popen[str], name: str) -> psutil.Process | None:
    """The running embedded server of this name, if there is one at the moment."""
    return next((p for p in psutil.Process(process.pid).children() if name_of(p) == name), None)


def gone(processes: list[psutil.Process]) -> bool:
    """Whether none of them runs."""
    return not any(map(name_of, processes))


def name_of(process: psutil.Process) -> str:
    """The name of a process; none when it is gone, if only between two looks, or a zombie that nobody collects."""
    try:
        is_there = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        return process.name() if is_there else ""
    except psutil.NoSuchProcess:
        return ""


def answer(port: int, path: str) -> int:
    """The status of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.fixture
def port() -> int:
    """A port whose follower is free as well."""
    return next(port for port in iter(free_port, 0) if is_free(port + 1))


def test_answers_survives_every_kill_9_and_keeps_its_data(tmp_path: Path, port: int) -> None:
    home = tmp_path / "home"
    with installation(home, "--no-demo", port=port) as first:
        wait_for(home, "Ctrl-C stops it", first)
        assert [answer(port, path) for path in ("/healthz", "/readyz", "/login")] == [200, 200, 200]
        assert f"http://127.0.0.1:{port}/" in said(home)
        run(home, port, "tenant", "create", "kept")
        for name in ("postgres", "valkey-server"):
            old = server_of(first, name)
            assert old
            old.kill()
            wait_until(
                lambda old=old, name=name: server_of(first, name) not in (None, old), f"{name} does not come back"
            )
            wait_until(lambda: answer(port, "/readyz") == 200, f"not ready after {name} was killed")
        everything = below(first)
        assert len(everything) > 8
        first.kill()
        first.wait()
        wait_until(lambda: gone(everything), f"still there: {everything}")
    with installation(home, "--no-demo", port=port) as second:
        wait_until(lambda: said(home).count("Ctrl-C stops it") == 2, "does not start again", limit_s=120)
        assert "kept" in run(home, port, "tenant", "list")
        metrics = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
        assert "watchfloor_http_requests_total" in metrics
        assert "kept" not in metrics
        everything = below(second)
        second.send_signal(signal.SIGTERM)
        assert second.wait(STOP_S) == 0
        assert gone(everything)


def test_two_homes_side_by_side_and_one_home_once(tmp_path: Path, port: int) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    with installation(one, "--no-demo", port=port) as first:
        wait_for(one, "Ctrl-C stops it", first)
        with installation(one, "--no-demo", port=port) as again:
            assert again.wait(30) == 1
        assert "already runs in" in said(one)
        with installation(two, "--no-demo", port=port) as clash:
            assert clash.wait(30) == 1
        assert f"port {port} on 127.0.0.1 is in use" in said(two)
        other = next(p for p in iter(free_port, 0) if is_free(p + 1))
        with installation(two, "--no-demo", port=other) as second:
            wait_for(two, "Ctrl-C stops it", second)
            assert answer(port, "/readyz") == answer(other, "/readyz") == 200


def test_with_the_demo_there_is_someone_to_sign_in_as(tmp_path: Path, port: int) -> None:
    home = tmp_path / "home"
    with installation(home, port=port, WATCHFLOOR_DEMO="1") as process:
        wait_for(home, "Ctrl-C stops it", process)
        path = home / "credentials.json"
        assert path.stat().st_mode & 0o777 == 0o600
        credentials = json.loads(path.read_text())
        assert len(credentials["tenants"]) >= 2
        assert credentials["tenants"][0]["users"][0]["email"] in said(home)
        process.send_signal(signal.SIGINT)
        assert process.wait(STOP_S) == 0


def run(home: Path, port: int, *words: str) -> str:
    """A verb beside a running installation; answers what it printed."""
    environment = {**os.environ, "WATCHFLOOR_HOME": str(home), "WATCHFLOOR_PORT": str(port)}
    command = [sys.executable, "-m", "app", *words]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
