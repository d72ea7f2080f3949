"""A real installation for scenarios and benchmarks: its own durable servers and processes, under our own supervisor.

The supervisor is one loop of the main thread: whoever uses a stack calls tend() while it waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import psutil

from app.domain.tenancy import Scope, TenantId, Viewer
from app.runtime import embedded, servers
from app.runtime.home import Home, ready_settings
from app.runtime.schema import migrate_database
from app.runtime.supervisor import Supervisor, Watched
from app.runtime.verbs import Verb
from app.settings import Settings
from app.valkey import open_valkey, valkey
from models.session import close_database, open_database, platform_session
from models.tenants import TenantRow
from tests.factories.browser import token_for
from tests.factories.committed import Emptied
from tests.factories.servers import SECRET_KEY

INGEST = ("web", "worker-ingest", "worker-default", "scheduler")
VERBS = {
    "web": ("web",),
    "worker-ingest": ("worker", "ingest"),
    "worker-default": ("worker", "default"),
    **{f"worker-ingest-{n}": ("worker", "ingest") for n in range(2, 5)},
    "scheduler": ("scheduler",),
}


class Stack:
    """Postgres, Valkey and the chosen processes of ours, and this process's own connections to both."""

    def __init__(self, root: Path, given: Emptied | None = None) -> None:
        self.home = Home(root).prepare()
        more = {"database_url": given.url, "secret_key": SECRET_KEY} if given else {}
        self.settings = Settings(home=root, port=servers.free_port(), **more)
        self.lines: list[str] = []
        self.supervisor = Supervisor(self.lines.append)
        self.watched: dict[str, Watched] = {}

    @property
    def url(self) -> str:
        """Where the web process answers."""
        return f"http://127.0.0.1:{self.settings.port}"

    def start(self, processes: Sequence[str] = INGEST) -> None:
        """Start everything in order and connect."""
        embedded.wipe_run(self.home)
        postgres, valkey_server = embedded.needed_servers(self.settings, self.home)
        assert valkey_server
        for server, stage in ((postgres, 0), (valkey_server, 1)):
            if server is None:
                continue
            server.prepare()
            self.supervisor.adopt(server, servers.start(server), stage=stage, stop_limit_s=5)
        embedded.announce(self.settings, self.home, postgres, valkey_server)
        ready = ready_settings(self.settings)
        assert ready.database_url
        assert ready.redis_url
        assert ready.secret_key
        self.database_url = ready.database_url
        migrate_database(ready.database_url, ready.secret_key)
        open_database(ready.database_url, role="worker", secret_key=ready.secret_key)
        open_valkey(ready.redis_url)
        for name in processes:
            self._start(name)
        self.watched = {watched.program.name: watched for watched in self.supervisor.watched}
        if "web" in self.watched:
            self.supervisor.wait_until_ready(self.watched["web"], limit_s=60)

    def stop(self) -> None:
        """Stop everything."""
        close_database()
        valkey().close()
        self.supervisor.stop()

    def tend(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Let time pass, restarting what died; answers whether `until` came true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.supervisor.do_once()
            if until():
                return True
            time.sleep(0.05)
        return False

    def process(self, name: str) -> psutil.Process:
        """The main process of a program."""
        return psutil.Process(self.watched[name].process.pid)

    def cpu_s(self, name: str) -> float:
        """User and system seconds of a program and its children, the ended ones included."""
        main = self.process(name)
        total = 0.0
        for process in [main, *main.children(recursive=True)]:
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system + times.children_user + times.children_system
        return total

    def tenant(self, name: str, **columns: object) -> tuple[TenantId, dict[str, str]]:
        """A new tenant, and the header of a token that may send and read."""
        with platform_session() as session:
            row = TenantRow(name=name, title=name.title(), **columns)
            session.add(row)
            session.flush()
            tenant = TenantId(row.id)
        return tenant, token_for(Viewer(tenant, name, "test", ""), Scope.INGEST, Scope.READ)

    def _start(self, name: str) -> None:
        address = ("127.0.0.1", self.settings.port) if name == "web" else None
        environment = self.settings.environment(self.home.metrics)
        verb = Verb(name, VERBS[name], self.home.log / f"{name}.log", environment, address)
        self.supervisor.start(verb, stage=2)


@contextmanager
def running_stack(root: Path, processes: Sequence[str] = INGEST, *, given: Emptied | None = None) -> Iterator[Stack]:
    """A stack in `root`, stopped at the end; with a database of its own unless one is given."""
    with given.used() if given else nullcontext():
        stack = Stack(root, given)
        try:
            stack.start(processes)
            yield stack
        finally:
            stack.stop()
