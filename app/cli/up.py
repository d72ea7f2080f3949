"""`up`: the whole installation on one machine, in the foreground, until it is told to stop."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from threading import Event

import click
import msgspec

from app import clock, log
from app.errors import WatchfloorError
from app.runtime import embedded, servers
from app.runtime.child import die_with_parent, last_lines
from app.runtime.home import Home, home_of, ready_settings
from app.runtime.schema import migrate_database
from app.runtime.supervisor import Supervisor, Watched
from app.runtime.verbs import Verb
from app.settings import Settings

# The stop goes from the highest stage to the lowest; together the limits stay below ten seconds.
SERVERS, PROCESSES = range(2)
PROCESS_STOP_S = 4.0
# A web process that a load balancer watches says first that it goes (app/runtime/draining.py).
WEB_STOP_S = 14.0
# The last checkpoint of a busy Postgres takes its time; cut off, the next start would have to replay.
SERVER_STOP_S = 5.0
# Rules and messages have workers of their own: a receiver that hangs or a long discovery must not delay an alert.
WORKER_QUEUES = {
    "worker-ingest": ("ingest",),
    "worker-rules": ("rules",),
    "worker-notify": ("notify",),
    "worker-default": ("default", "reports"),
    # Detection keeps its states in memory and answers questions; forecasts and training take long.
    "worker-detect": ("detect",),
    "worker-ml": ("ml", "arima"),
}


@click.command()
@click.option("--port", type=click.IntRange(1, 65534), help="Port of the pages and the API; live updates use the next.")
@click.option("--demo/--no-demo", default=None, help="Make the demo network, or leave it out.")
@click.option("--with-parent", is_flag=True, hidden=True, help="Stop when the process that started this one dies.")
def up(port: int | None, demo: bool | None, with_parent: bool) -> None:
    """Start everything on this machine: servers, web, workers, scheduler, poller. Ctrl-C stops all of it."""
    if with_parent:
        die_with_parent()
    settings = Settings.from_env(port=port, demo=demo)
    log.configure(settings.log_format, "WARNING")
    home = home_of(settings).prepare()
    embedded.claim(home)
    start = Start(settings.model_copy(update={"home": home.root}), home)
    try:
        start.everything()
        start.supervisor.run()
    finally:
        start.finish()


class Start:
    """One run of the installation: its settings, its home, and what has been started so far."""

    def __init__(self, settings: Settings, home: Home) -> None:
        self.settings = settings
        self.home = home
        self.begun_s = clock.monotonic_s()
        self.supervisor = Supervisor(self.say)
        self.supervisor.listen()
        self.environment = settings.environment(home.metrics)

    def say(self, line: str) -> None:
        """One line of progress, with the seconds since the start."""
        click.echo(f"[{clock.monotonic_s() - self.begun_s:6.1f} s] {line}")

    def everything(self) -> None:
        """Start in order; a step that needs the one before waits until that does its work."""
        self.say(f"Watchfloor in {self.home.root}")
        was_cut_off = embedded.wipe_run(self.home)
        _check_ports(self.settings, wait_s=10 if was_cut_off else 0)
        demo = self.settings.demo
        steps = [self._servers, self._schema, self._doors, self._seed if demo else None, self._open, self._workers]
        for step in (*steps, self._demo if demo else None, self._welcome):
            if step is not None and not self.supervisor.stopping.is_set():
                step()

    def finish(self) -> None:
        """Stop everything that was started."""
        begun = clock.monotonic_s()
        self.say("stopping")
        self.supervisor.stop()
        self.home.servers.unlink(missing_ok=True)
        self.say(f"stopped in {clock.monotonic_s() - begun:.1f} s; the data stay in {self.home.root}")

    def _servers(self) -> None:
        postgres, valkey = embedded.needed_servers(self.settings, self.home)
        for server in (postgres, valkey):
            if server is not None:
                server.prepare()
                process = servers.start(server)
                self.supervisor.adopt(server, process, stage=SERVERS, stop_limit_s=SERVER_STOP_S)
                self.say(f"{server.name} ready on 127.0.0.1:{server.port}")
        embedded.announce(self.settings, self.home, postgres, valkey)

    def _schema(self) -> None:
        ready = ready_settings(self.settings)
        assert ready.database_url and ready.secret_key
        before, after = migrate_database(ready.database_url, ready.secret_key)
        self.say(f"schema {after}" if before == after else f"schema from {before or 'empty'} to {after}")

    def _seed(self) -> None:
        watched = self._start("demo-seed", "demo", "seed", is_one_shot=True)
        while not watched.is_done and not self.supervisor.stopping.is_set():
            self.supervisor.do_once()
            if watched.failures > 2:
                why = last_lines(watched.program.log)
                raise WatchfloorError(f"the demo cannot be made: {why} (see {watched.program.log})")
            Event().wait(0.02)
        self.say("demo tenants, people and devices are there")

    def _doors(self) -> None:
        host = _reachable(self.settings.bind)
        # They load their code while the demo is made; _open waits for them.
        self.web = self._start("web", "web", address=(host, self.settings.port))
        self.push = self._start("push", "push", address=(host, self.settings.port + 1))

    def _open(self) -> None:
        self.supervisor.wait_until_ready(self.web, limit_s=120)
        self.say(f"web answers on {self.settings.bind}:{self.settings.port}")
        self.supervisor.wait_until_ready(self.push, limit_s=120)

    def _workers(self) -> None:
        for name, queues in WORKER_QUEUES.items():
            self._start(name, "worker", *queues)
        self._start("scheduler", "scheduler")
        self._start("poller", "poller")
        self.say("workers, scheduler and poller started")

    def _demo(self) -> None:
        self._start("demo-simulator", "demo", "simulator")
        self._start("demo-history", "demo", "history", is_one_shot=True)
        self._start("agent", "agent")
        self.say("demo network started; its history follows in the background")

    def _welcome(self) -> None:
        self.say("ready")
        click.echo(welcome(self.settings, self.home))

    def _start(
        self,
        name: str,
        *arguments: str,
        address: tuple[str, int] | None = None,
        is_one_shot: bool = False,
    ) -> Watched:
        verb = Verb(name, arguments, self.home.log / f"{name}.log", self.environment, address)
        if address:
            verb.death_signal = signal.SIGTERM  # gunicorn ends its workers
        limit_s = WEB_STOP_S if name == "web" else PROCESS_STOP_S
        return self.supervisor.start(verb, stage=PROCESSES, stop_limit_s=limit_s, is_one_shot=is_one_shot)


@dataclass(frozen=True)
class SignIn:
    """One line of the welcome."""

    tenant: str
    email: str
    password: str
    role: str


def welcome(settings: Settings, home: Home) -> str:
    """What a person needs to go on: the address and, with the demo, the sign-in."""
    lines = ["", f"  Watchfloor is at  {settings.base_url()}/"]
    sign_ins = load_sign_ins(home)
    if sign_ins:
        first = next((s for s in sign_ins if s.role == "admin"), sign_ins[0])
        lines += [f"  sign in as        {first.email}", f"  password          {first.password}"]
        lines += [f"  everyone else     {home.credentials}"]
    else:
        lines += ["  first sign-in     python -m app tenant create NAME, then python -m app user create --help"]
    return "\n".join([*lines, "  Ctrl-C stops it.", ""])


def load_sign_ins(home: Home) -> list[SignIn]:
    """The people of the demo; none without a demo."""
    if not home.credentials.exists():
        return []
    content = msgspec.json.decode(home.credentials.read_bytes())
    return [
        SignIn(tenant["name"], user["email"], user["password"], user["role"])
        for tenant in content.get("tenants", [])
        for user in tenant.get("users", [])
    ]


def _check_ports(settings: Settings, *, wait_s: float) -> None:
    """Raise when a port of ours is taken; after a run that was cut off its remains get some time to go."""
    end = clock.monotonic_s() + wait_s
    for port in (settings.port, settings.port + 1):
        while not servers.is_free(port, settings.bind):
            if clock.monotonic_s() >= end:
                raise WatchfloorError(
                    f"port {port} on {settings.bind} is in use: choose another with --port or WATCHFLOOR_PORT "
                    "(live updates take the port after it)"
                )
            Event().wait(0.1)


def _reachable(bind: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind, bind)  # noqa: S104  compared, not bound
