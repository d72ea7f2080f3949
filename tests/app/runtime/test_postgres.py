"""The embedded Postgres, and each pitfall of running one that belongs to nobody."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from app.errors import WatchfloorError
from app.runtime import servers
from app.runtime.child import is_alive, unprivileged_account
from app.runtime.engines import postgres_binaries
from app.runtime.postgres import Postgres
from tests.factories.processes import in_child, wait_until

KEY = "k" * 64
IS_ROOT = os.geteuid() == 0
Make = Callable[..., Postgres]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes launchers for one folder; every server is stopped at the end."""
    account = unprivileged_account()
    made: list[Postgres] = []

    def one(folder: Path = tmp_path / "postgres") -> Postgres:
        server = Postgres(folder, tmp_path / "postgres.log", postgres_binaries(account), KEY, account)
        server.is_durable = False
        made.append(server)
        return server

    yield one
    for server in made:
        server.clear_leftovers()


def start(server: Postgres) -> subprocess.Popen[bytes]:
    """Prepare and start, as `up` does."""
    server.prepare()
    return servers.start(server)


def ask(server: Postgres, question: str) -> object:
    """One value, asked by the owner."""
    with psycopg.connect(server.url()) as connection:
        row = connection.execute(question).fetchone()
    assert row is not None
    return row[0]


def test_starts_with_an_owner_who_is_no_superuser(make: Make) -> None:
    server = make()
    process = start(server)
    rights = "select rolcreatedb and rolcreaterole and rolbypassrls and not rolsuper from pg_roles where rolname = user"
    assert ask(server, rights) is True
    assert ask(server, "select datlocale || ' ' || pg_encoding_to_char(encoding) from pg_database limit 1") == (
        "C.UTF-8 UTF8"
    )
    servers.stop(process, server.stop_signal, limit_s=10)
    assert process.returncode == 0


def test_is_durable_unless_told_otherwise(make: Make) -> None:
    server = make()
    server.is_durable = True
    start(server)
    assert [ask(server, f"show {name}") for name in ("fsync", "synchronous_commit", "full_page_writes")] == ["on"] * 3


def test_listens_on_loopback_alone_and_wants_a_password(make: Make) -> None:
    server = make()
    start(server)
    assert ask(server, "show listen_addresses") == "127.0.0.1"
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url(), password="guessed")


@pytest.mark.skipif(not IS_ROOT, reason="only root has an account to drop to")
def test_root_drops_to_another_account_and_opens_no_folder(make: Make, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    before = {parent: parent.stat().st_mode for parent in closed.parents}
    server = make(closed / "postgres")
    process = start(server)
    account = unprivileged_account()
    assert account is not None
    assert Path(f"/proc/{process.pid}").stat().st_uid == account.uid
    assert {parent: parent.stat().st_mode for parent in closed.parents} == before
    assert closed.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(not IS_ROOT, reason="is what every other test does")
def test_an_ordinary_user_runs_it_as_himself(tmp_path: Path) -> None:
    account = unprivileged_account()
    assert account is not None
    binaries = postgres_binaries(account)
    home = Path("/tmp") / f"watchfloor-test-{os.getpid()}"
    home.mkdir(mode=0o700)
    os.chown(home, account.uid, account.gid)

    def story() -> None:
        os.setgroups([])
        os.setgid(account.gid)
        os.setuid(account.uid)
        server = Postgres(home / "postgres", home / "postgres.log", binaries, KEY, unprivileged_account())
        server.is_durable = False
        process = start(server)
        assert ask(server, "select current_user") == "watchfloor"
        servers.stop(process, server.stop_signal, limit_s=10)

    try:
        assert in_child(story) == 0
    finally:
        subprocess.run(["rm", "-rf", str(home)], check=True)


def test_a_path_longer_than_a_socket_may_have(make: Make, tmp_path: Path) -> None:
    deep = tmp_path / ("a" * 60) / ("b" * 60)
    deep.mkdir(parents=True)
    server = make(deep / "postgres")
    start(server)
    assert ask(server, "select 1") == 1


def test_a_busy_port_is_left_to_whoever_has_it(make: Make) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        server = make()
        server.port = other.getsockname()[1]
        start(server)
        assert server.port != other.getsockname()[1]
        assert ask(server, "select 1") == 1


def test_a_pid_file_that_names_another_program_is_a_lie(make: Make) -> None:
    server = make()
    server.prepare()
    (server.data / "postmaster.pid").write_text(f"{os.getppid()}\n{server.data}\n1\n1\n\n\n\n")
    servers.start(server)
    assert ask(server, "select 1") == 1


def test_a_server_that_an_earlier_run_left_behind_is_stopped(make: Make) -> None:
    first = start(make())
    second = make()
    start(second)
    assert first.wait(1) is not None
    assert ask(second, "select 1") == 1


def test_after_kill_9_it_starts_again_and_has_what_was_committed(make: Make) -> None:
    server = make()
    server.is_durable = True
    process = start(server)
    with psycopg.connect(server.url()) as connection:
        connection.execute("create table kept as select 42 as answer")
    process.send_signal(signal.SIGKILL)
    process.wait()
    servers.start(server)
    assert ask(server, "select answer from kept") == 42


def test_kill_9_of_the_parent_leaves_no_orphan(make: Make, tmp_path: Path) -> None:
    server = make()
    server.prepare()
    pid_file = tmp_path / "pid"

    def story() -> None:
        pid_file.write_text(str(servers.start(server).pid))
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(story) == -signal.SIGKILL
    wait_until(lambda: not is_alive(int(pid_file.read_text())), "the server still runs")


def test_another_major_version_is_named(make: Make) -> None:
    server = make()
    server.prepare()
    (server.data / "PG_VERSION").write_text("16\n")
    with pytest.raises(WatchfloorError, match=r"made by Postgres 16, .* brings 18"):
        make().prepare()


@pytest.mark.skipif(not IS_ROOT, reason="needs another user's file")
def test_a_foreign_data_folder_is_named_with_the_remedy(make: Make) -> None:
    server = make()
    server.prepare()
    os.chown(server.data, 12345, 12345)
    with pytest.raises(WatchfloorError, match=r"belongs to user 12345.*chown -R"):
        make().prepare()


def test_a_data_folder_open_to_all_is_closed_again(make: Make) -> None:
    server = make()
    server.prepare()
    server.data.chmod(0o777)
    start(make())
    assert server.data.stat().st_mode & 0o777 == 0o700


def test_a_first_start_that_was_cut_off_is_made_again(make: Make) -> None:
    server = make()
    (server.folder / "data.new" / "base").mkdir(parents=True)
    start(server)
    assert ask(server, "select 1") == 1


def test_a_strange_locale_and_settings_of_another_postgres_do_not_reach_it(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"LC_ALL": "tlh_QO.UTF-8", "PGDATA": "/nowhere", "PGPORT": "1", "TZ": "Mars/Olympus"}.items():
        monkeypatch.setenv(name, value)
    server = make()
    start(server)
    assert ask(server, "show timezone") == "UTC"


def test_what_cannot_start_says_why(make: Make) -> None:
    server = make()
    server.prepare()
    (server.data / "postgresql.conf").write_text("shared_bufers = 1MB\n")
    with pytest.raises(WatchfloorError, match=r"postgres did not start: .*shared_bufers"):
        servers.start(server, retry_limit_s=0.1)
