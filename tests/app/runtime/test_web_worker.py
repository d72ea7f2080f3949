"""Slow senders hold nobody up."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import httpx
import pytest

from app.runtime.web_worker import HEAD_WITHIN_S

APPLICATION = """
def application(environ, start_response):
    body = environ["wsgi.input"].read()
    answer = b"%d" % len(body)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))])
    return [answer]
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("slow")
    (folder / "slowapp.py").write_text(APPLICATION)
    number = _free_port()
    command = [sys.executable, "-m", "gunicorn", "--worker-class", "app.runtime.web_worker.HeadFirstWorker"]
    command += ["--workers", "1", "--threads", "2", "--bind", f"127.0.0.1:{number}", "--no-control-socket"]
    command += ["--pythonpath", str(folder), "slowapp:application"]
    with subprocess.Popen(command) as process:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", number), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield number
        process.terminate()


def _send(port: int, data: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=HEAD_WITHIN_S * 3)
    connection.sendall(data)
    return connection


def _expect(connection: socket.socket, body: bytes) -> None:
    """Read one whole answer, whose head and body may come apart."""
    answered = b""
    while not answered.endswith(b"\r\n\r\n" + body):
        piece = connection.recv(1000)
        assert piece, answered
        answered += piece
    assert answered.startswith(b"HTTP/1.1 200 OK")


def _is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(10) == b""
    except ConnectionResetError:
        return True


def test_200_slow_connections_keep_nobody_waiting_and_are_closed(port: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\n"
    halves = (b"", head + b"X-A", head + b"Content-Length: 100\r\n\r\nabc")
    slow = [_send(port, half) for _ in range(67) for half in halves]
    assert httpx.get(f"http://127.0.0.1:{port}/", timeout=HEAD_WITHIN_S / 2).text == "0"
    assert all(_is_closed(connection) for connection in slow)
    for connection in slow:
        connection.close()


def test_a_request_in_pieces_is_answered(port: int) -> None:
    connection = _send(port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Le")
    for piece in (b"ngth: 5\r\n", b"\r\n", b"ab", b"cde"):
        time.sleep(0.05)
        connection.sendall(piece)
    _expect(connection, b"5")
    connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    _expect(connection, b"0")


@pytest.mark.parametrize("size", [0, 10, 60_000, 70_000, 3_000_000])
def test_bodies_of_every_size_arrive(port: int, size: int) -> None:
    assert httpx.post(f"http://127.0.0.1:{port}/", content=b"x" * size).text == str(size)


def test_chunked_bodies_and_kept_connections(port: int) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        for _ in range(3):
            assert client.post("/", content=iter([b"a" * 1000, b"b" * 500])).text == "1500"
            assert client.get("/").text == "0"


def test_requests_in_one_packet_are_all_answered(port: int) -> None:
    one = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    connection = _send(port, one + one + last)
    answered = b""
    while piece := connection.recv(10_000):
        answered += piece
    assert answered.count(b"200 OK") == 3


def test_busy_connections_leave_a_thread_for_others(port: int) -> None:
    stopping = Event()
    with ThreadPoolExecutor(6) as pool:
        busy = [pool.submit(_ask_until, port, stopping) for _ in range(6)]
        answers = [httpx.get(f"http://127.0.0.1:{port}/", timeout=HEAD_WITHIN_S / 2).text for _ in range(20)]
        stopping.set()
        counts = [each.result() for each in busy]
    assert answers == ["0"] * 20
    assert min(counts) > 0


def _ask_until(port: int, stopping: Event) -> int:
    """Post again and again over one connection; answers how often."""
    count = 0
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        while not stopping.is_set() or not count:
            size = (0, 10, 70_000)[count % 3]
            assert client.post("/", content=b"x" * size).text == str(size)
            count += 1
    return count


def test_a_connection_that_keeps_its_thread_may_go_or_send_half(port: int) -> None:
    one = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    connection = _send(port, one)
    _expect(connection, b"0")
    connection.sendall(one[:10])
    time.sleep(0.1)
    connection.sendall(one[10:])
    _expect(connection, b"0")
    connection.shutdown(socket.SHUT_WR)
    assert _is_closed(connection)
    assert httpx.get(f"http://127.0.0.1:{port}/").text == "0"
