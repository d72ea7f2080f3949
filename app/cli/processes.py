"""`web`, `push`, `worker`, `scheduler`, `poller`: the processes of an installation, one each."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import click

from app.jobs import QUEUES
from app.runtime.home import home_of
from app.settings import Settings

DEPLOY = Path(__file__).parents[2] / "deploy"


@click.command()
def web() -> None:
    """Serve pages, API and ingest on WATCHFLOOR_BIND:WATCHFLOOR_PORT."""
    _gunicorn("gunicorn_web.py", "wsgi:server")


@click.command()
def push() -> None:
    """Serve live updates on the port after WATCHFLOOR_PORT."""
    _gunicorn("gunicorn_push.py", "asgi:push")


@click.command()
@click.argument("queues", nargs=-1, metavar="[QUEUE]...")
def worker(queues: tuple[str, ...]) -> None:
    """Work off jobs; every queue when none is named."""
    unknown = sorted(set(queues) - set(QUEUES))
    if unknown:
        raise click.BadParameter(f"no queue is called {unknown[0]}; there are {', '.join(QUEUES)}")
    _main_of("workers.run")(Settings.from_env(), queues or QUEUES)


@click.command()
def scheduler() -> None:
    """Start timed jobs; several may run, one leads."""
    _main_of("workers.schedule")(Settings.from_env())


@click.command()
def poller() -> None:
    """Poll the devices."""
    _main_of("workers.poller")(Settings.from_env())


def _main_of(module: str) -> Callable[..., None]:
    """The main() of a process, imported only in that process: each start is felt in seconds of CPU."""
    main: Callable[..., None] = import_module(module).main
    return main


def _gunicorn(config: str, application: str) -> None:
    """Become gunicorn. Its configuration reads the settings itself."""
    settings = Settings.from_env()
    # Started on its own (not by `up`) it may be the first in this home.
    home = home_of(settings).prepare()
    home.metrics.mkdir(mode=0o700, parents=True, exist_ok=True)
    environment = settings.environment(home.metrics)
    command = [sys.executable, "-m", "gunicorn", "--config", str(DEPLOY / config), application]
    os.execve(command[0], command, environment)  # noqa: S606  no shell, our own command
