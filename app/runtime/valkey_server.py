"""The embedded Valkey: every write is on disk before it is answered, nothing is evicted, a password on loopback."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from app.runtime.child import Account, spawn, stop_leftover, works_in
from app.runtime.home import write_private
from app.runtime.servers import derive_password, free_port

SETTINGS: Mapping[str, str] = {
    "bind": "127.0.0.1",
    "protected-mode": "yes",
    "appendonly": "yes",
    "appendfsync": "always",
    "aof-load-truncated": "yes",  # a cut last entry was never acknowledged
    "auto-aof-rewrite-min-size": "64mb",
    "save": '""',
    "maxmemory-policy": "noeviction",
    "daemonize": "no",
    "dir": ".",
    "tcp-keepalive": "60",
    "loglevel": "notice",
}


@dataclass
class Valkey:
    """One server with its append-only file in `folder`; its password derives from `key`."""

    folder: Path
    log: Path
    binary: Path
    key: str
    account: Account | None
    port: int = 0
    is_durable: bool = True
    name: str = "valkey"
    stop_signal: signal.Signals = signal.SIGTERM

    def url(self, database: int = 0) -> str:
        """The address with its password."""
        return f"redis://:{derive_password(self.key, 'valkey')}@127.0.0.1:{self.port}/{database}"

    def prepare(self) -> None:
        """Make the folder at the first start."""
        self.port = self.port or free_port()
        self.folder.mkdir(mode=0o700, exist_ok=True)
        if self.account:
            os.chown(self.folder, self.account.uid, self.account.gid)

    def clear_leftovers(self) -> None:
        """Stop a server that an earlier run left in our folder: two would ruin one append-only file."""
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and works_in(int(entry.name), self.folder):
                stop_leftover(int(entry.name), ((signal.SIGTERM, 8), (signal.SIGKILL, 5)))

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the server; it stops when we die. The password is in a file, as the command line is public."""
        config = self.folder / "valkey.conf"
        settings = {**SETTINGS, "port": str(self.port), "requirepass": derive_password(self.key, "valkey")}
        if not self.is_durable:
            settings["appendfsync"] = "no"
        write_private(config, "".join(f"{name} {value}\n" for name, value in settings.items()).encode())
        if self.account:
            os.chown(config, self.account.uid, self.account.gid)
        return spawn(
            [self.binary, "/proc/self/cwd/valkey.conf"],
            log=self.log,
            death_signal=signal.SIGTERM,
            cwd=self.folder,
            environment={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            account=self.account,
        )

    def is_ready(self) -> bool:
        """Whether it answers and has loaded its data."""
        client = Redis.from_url(self.url(), socket_connect_timeout=1, socket_timeout=2)
        try:
            return bool(client.ping())
        except RedisError:
            return False
        finally:
            client.close()
