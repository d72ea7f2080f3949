"""`agent`: watch the machine it runs on and send what it sees to a Watchfloor, this one or another."""

from __future__ import annotations

import signal
from pathlib import Path
from socket import gethostname
from threading import Event
from types import FrameType

import click

from app import log
from app.errors import ConfigError
from app.runtime.home import home_of
from app.settings import Settings
from ingest.agent.host import INTERVAL_S, main


@click.command()
@click.option("--url", help="Address of the Watchfloor that takes the samples; unset, the one of these settings.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with an API token of the scope ingest (never the token itself: other users see arguments).",
)
@click.option("--device", default=gethostname, help="Name of this machine; the label `device`. Unset, its host name.")
@click.option("--site", default="", help="Where it stands; the label `site`.")
@click.option("--spool", type=click.Path(path_type=Path, file_okay=False), help="Folder for what is not sent yet.")
@click.option("--interval", type=click.FloatRange(1, 3600), default=INTERVAL_S, help="Seconds between readings.")
def agent(  # noqa: PLR0917  click calls by keyword
    url: str | None, token_file: Path | None, device: str, site: str, spool: Path | None, interval: float
) -> None:
    """Read processor, memory, disks and network of this machine and send them on."""
    settings = Settings.from_env()
    log.configure(settings.log_format, settings.log_level)
    home = home_of(settings).root
    in_demo = token_file is None and (home / "demo" / "agent_token").exists()
    main(
        url or local_url(settings),
        _token(token_file or home / "demo" / "agent_token"),
        device=device,
        site=site or ("fra1" if in_demo else ""),
        folder=spool or home / "agent",
        interval_s=interval,
        stopping=_stop_event(),
    )


def local_url(settings: Settings) -> str:
    """The address of this installation's web process, on this machine: PUBLIC_URL may lead elsewhere from here."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.bind, settings.bind)  # noqa: S104  compared, not bound
    return f"http://{host}:{settings.port}"


def _token(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise ConfigError("--token-file", f"{path} cannot be read: {error.strerror}", "/etc/watchfloor/token") from None


def _stop_event() -> Event:
    stopping = Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return stopping
