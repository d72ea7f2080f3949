"""Children that die with us, and what is true of other processes."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from app.runtime.child import is_alive, last_lines, spawn, stop_leftover, works_in
from tests.factories.processes import in_child, wait_until


def test_a_zombie_is_dead_though_kill_says_otherwise() -> None:
    process = subprocess.Popen(["true"])
    wait_until(lambda: not is_alive(process.pid), "never seen as dead")
    os.kill(process.pid, 0)  # does not raise: nobody has collected it
    process.wait()
    assert not is_alive(process.pid)


def test_a_living_one_is_alive_whatever_its_name() -> None:
    assert is_alive(os.getpid())
    assert not is_alive(2**22 + 1)


def test_a_process_is_known_by_the_folder_it_works_in(tmp_path: Path) -> None:
    process = subprocess.Popen(["sleep", "30"], cwd=tmp_path)
    assert works_in(process.pid, tmp_path)
    assert not works_in(process.pid, Path("/"))
    stop_leftover(process.pid, ((signal.SIGTERM, 5),))
    assert not works_in(process.pid, tmp_path)
    process.wait()


def test_one_that_ignores_a_signal_gets_the_next(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    process = subprocess.Popen(["sh", "-c", f"trap '' TERM; touch {ready}; while :; do sleep 0.05; done"])
    wait_until(ready.exists, "never ready")
    stop_leftover(process.pid, ((signal.SIGTERM, 0.2), (signal.SIGKILL, 5)))
    assert process.wait() == -signal.SIGKILL


def test_a_child_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"

    def story() -> None:
        child = spawn(["sleep", "60"], log=tmp_path / "log", death_signal=signal.SIGTERM)
        pid_file.write_text(str(child.pid))
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(story) == -signal.SIGKILL
    wait_until(lambda: not is_alive(int(pid_file.read_text())), "the child still runs")


def test_only_the_main_thread_may_start_children(tmp_path: Path) -> None:
    caught: list[BaseException] = []

    def start() -> None:
        try:
            spawn(["true"], log=tmp_path / "log", death_signal=signal.SIGTERM)
        except RuntimeError as error:
            caught.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert "main thread" in str(caught[0])


def test_the_output_of_a_child_is_appended_for_its_owner_alone(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for word in ("one", "two"):
        spawn(["echo", word], log=log, death_signal=signal.SIGTERM).wait()
    assert log.read_text() == "one\ntwo\n"
    assert log.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "", id="nothing said"),
        pytest.param("one\n", "one", id="one line"),
        pytest.param("a\nb\nc\nd\n", "b / c / d", id="the last three"),
    ],
)
def test_the_end_of_a_log_for_a_message(tmp_path: Path, text: str, expected: str) -> None:
    log = tmp_path / "log"
    log.write_text(text)
    assert last_lines(log) == expected


def test_a_missing_log_says_nothing(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "none") == ""
