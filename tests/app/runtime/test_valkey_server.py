"""The embedded Valkey: durable, closed to others, and gone when its parent is."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError

from app.runtime import servers
from app.runtime.child import is_alive, unprivileged_account
from app.runtime.engines import valkey_binary
from app.runtime.valkey_server import Valkey
from tests.factories.processes import in_child, wait_until

Make = Callable[..., Valkey]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes launchers for one folder; every server is stopped at the end."""
    account = unprivileged_account()
    made: list[Valkey] = []

    def one(folder: Path = tmp_path / "valkey") -> Valkey:
        server = Valkey(folder, tmp_path / "valkey.log", valkey_binary(account), "k" * 64, account)
        server.prepare()
        made.append(server)
        return server

    yield one
    for server in made:
        server.clear_leftovers()


def test_writes_to_disk_before_it_answers_and_evicts_nothing(make: Make) -> None:
    server = make()
    servers.start(server)
    client = Redis.from_url(server.url(), decode_responses=True)
    kept = client.config_get("appendonly", "appendfsync", "maxmemory-policy", "bind")
    assert kept == {
        "appendonly": "yes",
        "appendfsync": "always",
        "maxmemory-policy": "noeviction",
        "bind": "127.0.0.1",
    }


def test_wants_its_password_and_does_not_show_it(make: Make) -> None:
    server = make()
    process = servers.start(server)
    with pytest.raises(AuthenticationError):
        Redis(port=server.port).ping()
    password = server.url().split(":")[2].split("@")[0]
    assert password not in Path(f"/proc/{process.pid}/cmdline").read_text()
    assert (server.folder / "valkey.conf").stat().st_mode & 0o077 == 0


def test_what_was_acknowledged_survives_kill_9(make: Make) -> None:
    server = make()
    process = servers.start(server)
    entry = Redis.from_url(server.url()).xadd("stream", {"a": "1"})
    process.send_signal(signal.SIGKILL)
    process.wait()
    servers.start(server)
    assert [key for key, _ in Redis.from_url(server.url()).xrange("stream")] == [entry]


def test_a_log_cut_in_its_last_entry_still_loads(make: Make) -> None:
    server = make()
    process = servers.start(server)
    client = Redis.from_url(server.url())
    for number in range(10):
        client.rpush("kept", number)
    process.send_signal(signal.SIGKILL)
    process.wait()
    log = next((server.folder / "appendonlydir").glob("*.incr.aof"))
    os.truncate(log, log.stat().st_size - 3)
    servers.start(server)
    assert Redis.from_url(server.url()).llen("kept") == 9


def test_a_busy_port_is_left_to_whoever_has_it(make: Make) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        server = make()
        server.port = other.getsockname()[1]
        servers.start(server)
        assert server.port != other.getsockname()[1]


def test_a_path_longer_than_a_socket_may_have(make: Make, tmp_path: Path) -> None:
    deep = tmp_path / ("a" * 60) / ("b" * 60)
    deep.mkdir(parents=True)
    server = make(deep / "valkey")
    servers.start(server)
    assert server.is_ready()


def test_a_server_that_an_earlier_run_left_behind_is_stopped(make: Make) -> None:
    first = servers.start(make())
    second = make()
    servers.start(second)
    assert first.wait(1) is not None
    assert second.is_ready()


def test_kill_9_of_the_parent_leaves_no_orphan(make: Make, tmp_path: Path) -> None:
    server = make()
    pid_file = tmp_path / "pid"

    def story() -> None:
        pid_file.write_text(str(servers.start(server).pid))
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(story) == -signal.SIGKILL
    wait_until(lambda: not is_alive(int(pid_file.read_text())), "the server still runs")
