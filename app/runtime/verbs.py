"""A verb of `python -m app` as a program of the supervisor."""

from __future__ import annotations

import http.client
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.runtime.child import spawn

PROJECT = Path(__file__).parents[2]


@dataclass
class Verb:
    """`python -m app <arguments>`; it is ready when `address` (host, port) answers HTTP, or at once without one."""

    name: str
    arguments: tuple[str, ...]
    log: Path
    environment: Mapping[str, str]
    address: tuple[str, int] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    # kill -9 by default: our processes survive that at any moment. What has children of its own gets a softer one.
    death_signal: signal.Signals = signal.SIGKILL

    def clear_leftovers(self) -> None:
        """Nothing of a verb outlives it."""

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the process."""
        return spawn(
            [sys.executable, "-m", "app", *self.arguments],
            log=self.log,
            death_signal=self.death_signal,
            cwd=PROJECT,
            environment=self.environment,
        )

    def is_ready(self) -> bool:
        """Whether it answers, with whatever status."""
        if self.address is None:
            return True
        connection = http.client.HTTPConnection(*self.address, timeout=5)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status > 0
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
