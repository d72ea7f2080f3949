"""Real processes of the web tier on a database of the test's own: what a browser talks to."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.factories.processes import wait_until
from tests.factories.servers import SECRET_KEY

ROOT = Path(__file__).parents[2]


@contextmanager
def serve(database_url: str, redis_url: str, *, verbs: Sequence[str] = ("web", "push")) -> Iterator[int]:
    """Start `python -m app <verb>` for each verb; answers the port of the pages (push listens on the next)."""
    port = _two_free_ports()
    with tempfile.TemporaryDirectory(prefix="watchfloor-serving-") as home:
        environment = {
            **os.environ,
            "WATCHFLOOR_HOME": home,
            "WATCHFLOOR_PORT": str(port),
            "WATCHFLOOR_DATABASE_URL": database_url,
            "WATCHFLOOR_REDIS_URL": redis_url,
            "WATCHFLOOR_SECRET_KEY": SECRET_KEY,
        }
        log = (Path(home) / "output.txt").open("w+")
        started = [
            subprocess.Popen(
                [sys.executable, "-m", "app", verb], cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
            )
            for verb in verbs
        ]
        try:
            for verb in verbs:
                at = port + (verb == "push")
                wait_until(lambda at=at: _listens(at) or _ended(started), f"{verb} does not listen", limit_s=180)
            if _ended(started):
                raise AssertionError(Path(log.name).read_text()[-3000:])
            yield port
        finally:
            for process in started:
                process.terminate()
            for process in started:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(10)
                process.kill()
            log.close()


def _ended(processes: Sequence[subprocess.Popen[bytes]]) -> bool:
    return any(process.poll() is not None for process in processes)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _two_free_ports() -> int:
    """A port that is free and whose next is free, too."""
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            with suppress(OSError, OverflowError):
                two.bind(("127.0.0.1", port + 1))
                return port
