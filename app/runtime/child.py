"""Child processes that die with us, and the truth about processes that others left behind."""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app import clock

PR_SET_PDEATHSIG = 1
# A system account made for us wins over the one that every Debian has.
ACCOUNTS = ("watchfloor", "nobody")
POLL_S = 0.02


@dataclass(frozen=True)
class Account:
    """The unprivileged account that the embedded servers run under when we are root."""

    name: str
    uid: int
    gid: int


def unprivileged_account() -> Account | None:
    """The account to drop to; None when we are not root and children simply run as we do."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    name = next(name for name in ACCOUNTS if name in known)
    return Account(name, known[name].pw_uid, known[name].pw_gid)


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    death_signal: signal.Signals,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    account: Account | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, its output appended to `log`.

    The kernel sends it `death_signal` when we die, kill -9 included. That is bound to the thread that starts the
    child, which must therefore be the main one. `cwd` may be a folder that only we can reach.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("a child dies with the thread that started it: start it from the main thread")
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def die_with_parent() -> None:
        # Runs after the change of user, which would have cleared the death signal.
        libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(  # noqa: S603  our own commands, no shell
            [str(part) for part in command],
            cwd=cwd,
            env=None if environment is None else dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            umask=0o077,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            preexec_fn=die_with_parent,  # noqa: PLW1509  one thread, and nothing else sets it early enough
        )
    finally:
        os.close(output)


def die_with_parent() -> None:
    """Have the kernel send us SIGTERM when the process that started us dies."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)


def is_alive(pid: int) -> bool:
    """Whether a process runs. A zombie that nobody collects does not, though kill(pid, 0) says so."""
    try:
        # The name stands in brackets and may hold anything; the state letter follows the last one.
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return False


def works_in(pid: int, folder: Path) -> bool:
    """Whether a living process has `folder` as its working directory; tells ours from a reused number."""
    try:
        return is_alive(pid) and Path(f"/proc/{pid}/cwd").samefile(folder)
    except OSError:
        return False


def stop_leftover(pid: int, steps: Sequence[tuple[signal.Signals, float]]) -> None:
    """Stop a process that is no child of this run: each signal gets its seconds before the next one."""
    for number, seconds in steps:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        end = clock.monotonic_s() + seconds
        while clock.monotonic_s() < end:
            if not is_alive(pid):
                return
            threading.Event().wait(POLL_S)


def last_lines(log: Path, count: int = 3) -> str:
    """The end of a log file, for an error message."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 4096))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return " / ".join(line.strip() for line in lines[-count:] if line.strip())
