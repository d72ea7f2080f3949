"""The supervisor: order, restarts with back-off, gates, and a stop that ends."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from app.errors import WatchfloorError
from app.runtime.child import is_alive, spawn
from app.runtime.supervisor import Supervisor, trim_log
from tests.factories.processes import in_child, wait_until


@dataclass
class Script:
    """A shell script as a program; it is ready when its file `ready` exists."""

    name: str
    script: str
    log: Path
    ready: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    starts: list[int] = field(default_factory=list)

    def clear_leftovers(self) -> None:
        """Nothing to clear."""

    def spawn(self) -> subprocess.Popen[bytes]:
        process = spawn(["sh", "-c", self.script], log=self.log, death_signal=signal.SIGKILL)
        self.starts.append(process.pid)
        return process

    def is_ready(self) -> bool:
        return self.ready is None or self.ready.exists()


@pytest.fixture
def said() -> list[str]:
    """What the supervisor told people."""
    return []


@pytest.fixture
def supervisor(said: list[str]) -> Iterator[Supervisor]:
    """A supervisor, stopped at the end."""
    one = Supervisor(said.append)
    yield one
    one.is_urgent = True
    one.stop()


def test_what_dies_is_started_again(supervisor: Supervisor, said: list[str], tmp_path: Path) -> None:
    program = Script("sleeper", "exec sleep 60", tmp_path / "log")
    watched = supervisor.start(program, stage=0)
    os.kill(watched.process.pid, signal.SIGKILL)
    wait_until(lambda: supervisor.do_once() or len(program.starts) == 2, "not started again")
    assert "sleeper was ended by SIGKILL; starting it again in 0.2 s" in said[0]
    assert is_alive(program.starts[1])


def test_what_dies_at_once_waits_longer_each_time(supervisor: Supervisor, said: list[str], tmp_path: Path) -> None:
    program = Script("broken", "exit 3", tmp_path / "log")
    supervisor.start(program, stage=0)
    wait_until(lambda: supervisor.do_once() or len(said) == 3, "not three failures")
    assert [line.split(" in ")[1].split(" s")[0] for line in said] == ["0.2", "0.5", "1"]


def test_a_one_shot_that_is_done_stays_done(supervisor: Supervisor, tmp_path: Path) -> None:
    program = Script("once", "exit 0", tmp_path / "log")
    watched = supervisor.start(program, stage=0, is_one_shot=True)
    wait_until(lambda: supervisor.do_once() or watched.is_done, "never done")
    supervisor.do_once()
    assert len(program.starts) == 1


def test_a_gate_opens_when_the_program_is_ready(supervisor: Supervisor, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    watched = supervisor.start(Script("web", f"touch {ready}; exec sleep 60", tmp_path / "log", ready), stage=0)
    supervisor.wait_until_ready(watched, limit_s=20)
    assert ready.exists()


def test_a_gate_that_stays_shut_says_what_the_program_said(supervisor: Supervisor, tmp_path: Path) -> None:
    program = Script("web", "echo no such table; exit 1", tmp_path / "log", tmp_path / "never")
    watched = supervisor.start(program, stage=0)
    with pytest.raises(WatchfloorError, match=r"web did not start: .*no such table"):
        supervisor.wait_until_ready(watched, limit_s=20)


def test_the_stop_goes_from_the_doors_to_the_database(supervisor: Supervisor, tmp_path: Path) -> None:
    order = tmp_path / "order"
    for name, stage in (("database", 0), ("worker", 1), ("door", 2)):
        ready = tmp_path / name
        script = f"trap 'echo {name} >> {order}; exit 0' TERM; touch {ready}; while :; do sleep 0.02; done"
        watched = supervisor.start(Script(name, script, tmp_path / "log", ready), stage=stage)
        supervisor.wait_until_ready(watched, limit_s=20)
    supervisor.stop()
    assert order.read_text().split() == ["door", "worker", "database"]
    assert not any(is_alive(watched.process.pid) for watched in supervisor.watched)


def test_what_does_not_stop_in_its_time_is_killed(supervisor: Supervisor, said: list[str], tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    program = Script("deaf", f"trap '' TERM; touch {ready}; while :; do sleep 0.02; done", tmp_path / "log", ready)
    watched = supervisor.start(program, stage=0, stop_limit_s=0.2)
    supervisor.wait_until_ready(watched, limit_s=20)
    supervisor.stop()
    assert not is_alive(watched.process.pid)
    assert said == ["deaf did not stop in time and is killed"]


def test_a_log_above_its_limit_goes_on_empty_with_the_past_beside_it(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    with log.open("ab") as writer:
        writer.write(b"x" * 100)
        writer.flush()
        trim_log(log, 50)
        writer.write(b"new")
    assert log.read_bytes() == b"new"
    assert (tmp_path / "web.log.1").read_bytes() == b"x" * 100
    trim_log(log, 50)
    assert log.read_bytes() == b"new"


def test_one_wish_that_arrives_twice_is_not_impatience(tmp_path: Path) -> None:
    def story() -> None:
        supervisor = Supervisor(lambda _line: None)
        supervisor.listen()
        for _ in range(2):  # the terminal tells us and `make`, which passes it on
            os.kill(os.getpid(), signal.SIGTERM)
        supervisor.run()
        assert not supervisor.is_urgent

    assert in_child(story) == 0
