"""What every process and every verb does first: memory, logging, database, Valkey, keyring."""

from __future__ import annotations

import signal
from collections.abc import Callable
from threading import Event
from types import FrameType

from app import log
from app.auth.sealing import open_keyring
from app.notify.base import open_outbound
from app.objects import open_objects
from app.runtime.home import ready_settings
from app.runtime.memory import keep_freed_memory
from app.settings import Settings
from app.valkey import open_valkey, valkey
from models.session import close_database, open_database


def open_process(settings: Settings, role: str, *, pool_size: int = 8) -> Settings:
    """Open this process's connections in `role` (web or worker); answers the settings with nothing left unset.

    Connections are made when first used, so a process may be opened before it forks.
    """
    if role == "worker":
        keep_freed_memory()
    log.configure(settings.log_format, settings.log_level)
    ready = ready_settings(settings)
    assert ready.database_url and ready.redis_url and ready.secret_key
    # Workers judge by what was just written: only what people and programs look at may be some seconds old.
    read_url = ready.database_read_url if role == "web" else None
    open_database(ready.database_url, role=role, secret_key=ready.secret_key, pool_size=pool_size, read_url=read_url)
    open_valkey(ready.redis_url)
    open_keyring(ready.secret_key)
    open_outbound(ready)
    open_objects(ready.object_store_url, home=ready.home)
    return ready


def close_process() -> None:
    """Close what open_process() opened; for the end of a process and after a fork."""
    close_database()
    valkey().close()


def run_until_stopped(do_once: Callable[[], None], *, every_s: float) -> None:
    """The main of a plain process: `do_once` again and again until SIGTERM or SIGINT."""
    stopping = stop_event()
    while not stopping.is_set():
        do_once()
        stopping.wait(every_s)


def stop_event() -> Event:
    """An event that SIGTERM and SIGINT set; only for the main thread."""
    stopping = Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return stopping
