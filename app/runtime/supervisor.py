"""The supervisor: starts programs in order, restarts what dies, and stops all of it in the opposite order.

One thread and one loop, because the kernel ends the children with the thread that started them.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Protocol

from app import clock
from app.errors import WatchfloorError
from app.runtime.child import last_lines

POLL_S = 0.05
BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
# A program that lived this long has earned a quick restart.
HEALTHY_AFTER_S = 30.0
SAME_WISH_S = 1.0
LOG_LIMIT_BYTES = 20_000_000


class Program(Protocol):
    """Something that can be started: an embedded server or one of our processes."""

    name: str
    log: Path
    stop_signal: signal.Signals

    def clear_leftovers(self) -> None:
        """Make way for a start, the first or another."""

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the process."""

    def is_ready(self) -> bool:
        """Whether it does its work."""


@dataclass
class Watched:
    """A program with its process. `stage` orders the stop: highest first, equal ones at the same time."""

    program: Program
    process: subprocess.Popen[bytes]
    stage: int
    stop_limit_s: float
    is_one_shot: bool = False
    started_s: float = field(default_factory=clock.monotonic_s)
    failures: int = 0
    restart_at_s: float | None = None
    is_done: bool = False


class Supervisor:
    """Keeps programs running until stop()."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.watched: list[Watched] = []
        self.stopping = Event()
        self.is_urgent = False
        self._next_log_check_s = 0.0

    def listen(self) -> None:
        """Stop on SIGTERM, SIGINT and SIGHUP; one more of them, later, stops without patience."""
        asked_s: list[float] = []

        def stop(_number: int, _frame: object) -> None:
            # `make` passes on a signal that the terminal has sent to all of us: that is one wish, told twice.
            asked_s.append(clock.monotonic_s())
            self.is_urgent = asked_s[-1] - asked_s[0] > SAME_WISH_S
            self.stopping.set()

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, stop)

    def adopt(self, program: Program, process: subprocess.Popen[bytes], *, stage: int, stop_limit_s: float) -> None:
        """Watch a program that is running already."""
        self.watched.append(Watched(program, process, stage, stop_limit_s))

    def start(self, program: Program, *, stage: int, stop_limit_s: float = 4.0, is_one_shot: bool = False) -> Watched:
        """Start a program and watch it; wait_until_ready() is another matter."""
        program.clear_leftovers()
        watched = Watched(program, program.spawn(), stage, stop_limit_s, is_one_shot)
        self.watched.append(watched)
        return watched

    def wait_until_ready(self, watched: Watched, *, limit_s: float) -> None:
        """Wait for a health gate, restarting what dies meanwhile; raises WatchfloorError when it stays shut."""
        end = clock.monotonic_s() + limit_s
        while not self.stopping.is_set():
            self.do_once()
            if watched.restart_at_s is None and watched.program.is_ready():
                return
            if clock.monotonic_s() > end or watched.failures > 3:
                why = last_lines(watched.program.log) or "it says nothing"
                raise WatchfloorError(f"{watched.program.name} did not start: {why} (see {watched.program.log})")
            self.stopping.wait(POLL_S)

    def run(self) -> None:
        """Watch until someone asks to stop."""
        while not self.stopping.is_set():
            self.do_once()
            self.stopping.wait(POLL_S)

    def do_once(self) -> None:
        """Collect what has ended and start again what is due."""
        now = clock.monotonic_s()
        for watched in self.watched:
            if watched.restart_at_s is not None:
                if now >= watched.restart_at_s:
                    self._restart(watched)
            elif not watched.is_done and watched.process.poll() is not None:
                self._ended(watched, now)
        if now >= self._next_log_check_s:
            self._next_log_check_s = now + 60
            for watched in self.watched:
                trim_log(watched.program.log)

    def stop(self) -> None:
        """Stop everything: stage by stage, each program its seconds, then kill -9."""
        for stage in sorted({watched.stage for watched in self.watched}, reverse=True):
            group = [w for w in self.watched if w.stage == stage and w.process.poll() is None]
            for watched in group:
                watched.process.send_signal(watched.program.stop_signal)
            self._wait_for_end(group)
            for watched in group:
                if watched.process.poll() is None:
                    self.say(f"{watched.program.name} did not stop in time and is killed")
                    watched.process.kill()
                    watched.process.wait(5)

    def _wait_for_end(self, group: list[Watched]) -> None:
        begun = clock.monotonic_s()
        while any(
            w.process.poll() is None and clock.monotonic_s() < begun + (0.5 if self.is_urgent else w.stop_limit_s)
            for w in group
        ):
            Event().wait(0.02)

    def _ended(self, watched: Watched, now: float) -> None:
        code = watched.process.returncode
        if watched.is_one_shot and code == 0:
            watched.is_done = True
            return
        watched.failures = 1 if now - watched.started_s > HEALTHY_AFTER_S else watched.failures + 1
        delay = BACKOFF_S[min(watched.failures, len(BACKOFF_S)) - 1]
        watched.restart_at_s = now + delay
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        self.say(f"{watched.program.name} {how}; starting it again in {delay:g} s (see {watched.program.log})")

    def _restart(self, watched: Watched) -> None:
        watched.program.clear_leftovers()
        watched.process = watched.program.spawn()
        watched.started_s = clock.monotonic_s()
        watched.restart_at_s = None


def trim_log(log: Path, limit_bytes: int = LOG_LIMIT_BYTES) -> None:
    """Keep a log below the limit: the file becomes `….1`, and its writer, who appends, goes on in the empty one."""
    if log.exists() and log.stat().st_size > limit_bytes:
        log.with_name(f"{log.name}.1").write_bytes(log.read_bytes())
        with log.open("r+b") as file:
            file.truncate(0)
