"""The embedded servers of a home: which are needed, their start in order, where they listen."""

from __future__ import annotations

import fcntl
import os
import shutil

from app.errors import WatchfloorError
from app.runtime.child import unprivileged_account
from app.runtime.engines import postgres_binaries, valkey_binary
from app.runtime.home import Home, ServerAddresses, save_servers, secret_file
from app.runtime.postgres import Postgres
from app.runtime.valkey_server import Valkey
from app.settings import Settings


def claim(home: Home) -> int:
    """Make this run the only one in its home, for as long as the process lives; answers the lock's descriptor."""
    path = home.run / "lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 20).decode().strip()
        os.close(descriptor)
        raise WatchfloorError(
            f"Watchfloor already runs in {home.root} (process {holder}): stop it, or use another WATCHFLOOR_HOME"
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def wipe_run(home: Home) -> bool:
    """Forget the last start; answers whether it ended without a clean stop."""
    was_cut_off = home.servers.exists()
    home.servers.unlink(missing_ok=True)
    shutil.rmtree(home.metrics, ignore_errors=True)
    home.metrics.mkdir(mode=0o700)
    return was_cut_off


def needed_servers(settings: Settings, home: Home, *, is_durable: bool = True) -> tuple[Postgres | None, Valkey | None]:
    """The embedded servers that the settings leave to us, not yet made."""
    if settings.database_url and settings.redis_url:
        return None, None
    key, account = secret_file(home.root / "servers_key"), unprivileged_account()
    postgres = valkey = None
    if not settings.database_url:
        postgres = Postgres(home.root / "postgres", home.log / "postgres.log", postgres_binaries(account), key, account)
        postgres.is_durable = is_durable
    if not settings.redis_url:
        valkey = Valkey(home.root / "valkey", home.log / "valkey.log", valkey_binary(account), key, account)
        valkey.is_durable = is_durable
    return postgres, valkey


def announce(settings: Settings, home: Home, postgres: Postgres | None, valkey: Valkey | None) -> None:
    """Write down where the servers listen, for the other processes and for verbs."""
    database_url = postgres.url() if postgres else settings.database_url
    redis_url = valkey.url() if valkey else settings.redis_url
    assert database_url and redis_url
    save_servers(home, ServerAddresses(database_url, redis_url))
