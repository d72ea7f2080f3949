"""For tests about processes: stories told in a child of our own, and waits that end."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable


def in_child(story: Callable[[], None]) -> int:
    """Run `story` in a fork of this process; answers its exit code, or minus the signal that ended it."""
    pid = os.fork()
    if pid == 0:
        try:
            story()
        except BaseException:  # noqa: BLE001  nothing may leave the child
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def wait_until(is_so: Callable[[], object], complaint: str, *, limit_s: float = 20.0) -> None:
    """Wait for a condition; fails with `complaint` when it does not come true in time."""
    end = time.monotonic() + limit_s
    while not is_so():
        assert time.monotonic() < end, complaint
        time.sleep(0.02)
