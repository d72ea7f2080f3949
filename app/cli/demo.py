"""`demo`: the simulated network, its history, and incidents by hand."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import click

from app.cli.agent import local_url
from app.clock import now_ms
from app.runtime.home import home_of
from app.settings import Settings


@click.group()
def demo() -> None:
    """The demo network: make it, run it, break it."""


@demo.command()
def seed() -> None:
    """Make tenants, people, tokens, sites and devices of the demo, or what is missing of them."""
    settings = Settings.from_env()
    import_module("app.runtime.process").open_process(settings, "web")
    import_module("app.demo.seed").seed(_home(), settings.base_url())


@demo.command()
def simulator() -> None:
    """Answer SNMP for every device of the demo network."""
    _log()
    home, settings = _home(), Settings.from_env()
    network = import_module("app.demo.network").build_network()
    if import_module("app.demo.ports").have_moved(home, network):
        process = import_module("app.runtime.process")
        process.open_process(settings, "web")
        import_module("app.demo.seed").follow_ports(home)
        process.close_process()
    import_module("app.demo.simulator").main(home, _Telling(settings))


@demo.command()
def history() -> None:
    """Send the days before the demo began through the ingest API; goes on where it was interrupted."""
    _log()
    settings = Settings.from_env()
    import_module("app.demo.history").main(_home(), local_url(settings))
    import_module("app.runtime.process").open_process(settings, "worker", pool_size=1)
    import_module("app.demo.half_year").main(_home())


@demo.command()
@click.argument("kind")
@click.argument("target")
@click.option("--for", "lasts_s", type=click.IntRange(1, 86_400), default=300, help="Seconds it lasts (300).")
def inject(kind: str, target: str, lasts_s: int) -> None:
    """Let an incident KIND happen to TARGET: a device, a linked port as device:ifName, or one series.

    Kinds: link_flap, fibre_cut, optic_fading, congestion (of a port); device_down, cpu_overload (of a device); spike,
    level_shift, dropout, day_shape, stuck (of a series: device:ifName:in, device:ifName:out, device:cpu, device:memory,
    device:temperature).
    """
    incident = _control().inject(_home(), kind, target, lasts_ms=lasts_s * 1000, at_ms=now_ms())
    click.echo(f"{incident.id}: {incident.kind} of {incident.target}, affects {', '.join(incident.affected)}")


@demo.command()
def clear() -> None:
    """End every incident that is going on."""
    for incident in _control().clear(_home(), at_ms=now_ms()):
        click.echo(f"{incident.id}: {incident.kind} of {incident.target} ended")


@demo.command(name="list")
@click.option("--all", "every", is_flag=True, help="Those that are over as well.")
def list_(every: bool) -> None:
    """List the incidents that are going on."""
    for incident in _control().listed(_home(), at_ms=None if every else now_ms()):
        click.echo("\t".join(_control().described(incident)))


@demo.command()
def pause() -> None:
    """Let no more incidents happen by themselves."""
    _control().pause(_home(), is_paused=True)


@demo.command()
def resume() -> None:
    """Let incidents happen by themselves again."""
    _control().pause(_home(), is_paused=False)


class _Telling:
    """Logs incidents with the program; its code is loaded and connected when there is something to tell."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.logbook: Any = None

    def __call__(self, incidents: list[Any]) -> None:
        if self.logbook is None:
            import_module("app.runtime.process").open_process(self.settings, "web", pool_size=1)
            self.logbook = import_module("app.demo.logbook")
        self.logbook.record(incidents)


def _home() -> Path:
    return home_of(Settings.from_env()).root


def _control() -> Any:
    # Imported when used: the verbs start faster without the network's model.
    return import_module("app.demo.control")


def _log() -> None:
    settings = Settings.from_env()
    import_module("app.log").configure(settings.log_format, settings.log_level)
