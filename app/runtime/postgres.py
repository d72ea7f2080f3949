"""The embedded Postgres: made, started, watched and stopped by us, from the binaries of a Python wheel.

Loopback only, no Unix socket (its path may be too long), scram passwords, fsync on. When we are root the server runs
as an unprivileged account whose working directory is its folder, so that no folder above need be open to it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from app.errors import WatchfloorError
from app.runtime.child import Account, last_lines, spawn, stop_leftover, works_in
from app.runtime.engines import POSTGRES_MAJOR
from app.runtime.home import write_private
from app.runtime.servers import derive_password, free_port

SUPERUSER = "postgres"
OWNER = "watchfloor"
# Nothing of ours: a foreign locale or PG… variable must not reach the server.
ENVIRONMENT: Mapping[str, str] = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "120",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "min_wal_size": "128MB",
    "wal_compression": "on",
    "checkpoint_timeout": "10min",
    "random_page_cost": "1.1",
    "jit": "off",
    # A screen asks many short questions at once: starting processes for one and handing its rows over costs more.
    "max_parallel_workers_per_gather": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u@%d ",
    "logging_collector": "off",
}
# For throw-away databases of tests only.
NOT_DURABLE: Mapping[str, str] = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass
class Postgres:
    """One cluster in `folder`; the passwords of its superuser and of its owner derive from `key`."""

    folder: Path
    log: Path
    binaries: Path
    key: str
    account: Account | None
    port: int = 0
    is_durable: bool = True
    name: str = "postgres"
    stop_signal: signal.Signals = signal.SIGINT  # "fast": sessions are cut, nothing committed is lost

    @property
    def data(self) -> Path:
        """The cluster's own folder."""
        return self.folder / "data"

    def url(self, database: str = OWNER) -> str:
        """The address of a database with its owner's login."""
        return f"postgresql://{OWNER}:{derive_password(self.key, 'owner')}@127.0.0.1:{self.port}/{database}"

    def prepare(self) -> None:
        """Make the cluster at the first start; check version and owner at each. Raises WatchfloorError."""
        self.port = self.port or free_port()
        if self.data.exists():
            self._check_data()
        else:
            self._make_data()

    def clear_leftovers(self) -> None:
        """Stop a server that an earlier run left in our folder, and remove a pid file that lies."""
        pid_file = self.data / "postmaster.pid"
        pid = _first_number(pid_file)
        if pid is not None and works_in(pid, self.data):
            stop_leftover(pid, ((signal.SIGINT, 8), (signal.SIGQUIT, 5), (signal.SIGKILL, 5)))
        if pid is not None and not works_in(pid, self.data):
            # The number may belong to another program by now, which Postgres would take for a running server.
            pid_file.unlink(missing_ok=True)

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the postmaster; it shuts down when we die."""
        settings = {**SETTINGS, "port": str(self.port), **({} if self.is_durable else NOT_DURABLE)}
        options = [f"--{name}={value}" for name, value in settings.items()]
        return spawn(
            [self.binaries / "postgres", "-D", "/proc/self/cwd", *options],
            log=self.log,
            death_signal=signal.SIGINT,
            cwd=self.data,
            environment=ENVIRONMENT,
            account=self.account,
        )

    def is_ready(self) -> bool:
        """Whether it answers; makes the owner and his database when they are missing."""
        try:
            with self._connect() as connection:
                _ensure_owner(connection, derive_password(self.key, "owner"))
        except psycopg.OperationalError:
            return False
        return True

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=SUPERUSER,
            dbname="postgres",
            password=derive_password(self.key, "superuser"),
            connect_timeout=2,
            autocommit=True,
        )

    def _check_data(self) -> None:
        version_file = self.data / "PG_VERSION"
        version = version_file.read_text().strip() if version_file.exists() else "nothing we know"
        if version != str(POSTGRES_MAJOR):
            raise WatchfloorError(
                f"{self.data} was made by Postgres {version}, this version of Watchfloor brings {POSTGRES_MAJOR}: "
                "start the version it was made with and take a backup, or use another WATCHFLOOR_HOME"
            )
        owner, runner = self.data.stat().st_uid, self.account.uid if self.account else os.geteuid()
        if owner != runner:
            raise WatchfloorError(
                f"{self.data} belongs to user {owner}, but Postgres would run as user {runner}: "
                f"start as the user who made it, or run `chown -R {runner} {self.folder}` as root"
            )
        if self.data.stat().st_mode & 0o027:
            self.data.chmod(0o700)

    def _make_data(self) -> None:
        """Make the cluster beside its place and move it there, so that a half-made one is never taken for whole."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        draft, password = self.folder / "data.new", self.folder / "password"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        write_private(password, derive_password(self.key, "superuser").encode())
        if self.account:
            for path in (self.folder, draft, password):
                os.chown(path, self.account.uid, self.account.gid)
        command: list[str | Path] = [self.binaries / "initdb", "-D", "/proc/self/cwd", "-U", SUPERUSER]
        command += [
            "--auth=scram-sha-256",
            "--pwfile=/proc/self/cwd/../password",
            "--encoding=UTF8",
            "--no-instructions",
        ]
        command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        command += [] if self.is_durable else ["--no-sync"]
        process = spawn(
            command,
            log=self.log,
            death_signal=signal.SIGKILL,
            cwd=draft,
            environment=ENVIRONMENT,
            account=self.account,
        )
        failed = process.wait()
        password.unlink()
        if failed:
            raise WatchfloorError(f"Postgres could not make {self.data}: {last_lines(self.log)} (see {self.log})")
        draft.rename(self.data)


def _ensure_owner(connection: psycopg.Connection, password: str) -> None:
    """Make the owner, who is no superuser, and his database."""
    if not connection.execute("select 1 from pg_roles where rolname = %s", (OWNER,)).fetchone():
        connection.execute(
            sql.SQL("create role {} login createdb createrole bypassrls password {}").format(
                sql.Identifier(OWNER), sql.Literal(password)
            )
        )
    if not connection.execute("select 1 from pg_database where datname = %s", (OWNER,)).fetchone():
        connection.execute(sql.SQL("create database {0} owner {0}").format(sql.Identifier(OWNER)))


def _first_number(pid_file: Path) -> int | None:
    try:
        return int(pid_file.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None
