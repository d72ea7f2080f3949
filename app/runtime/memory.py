"""What the C library does with memory that was given back."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import Final

# What mallopt() calls them.
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
# Freed memory at the end of the heap that stays with the process, and blocks that are always asked of the kernel.
KEPT_BYTES: Final = 128 * 1024 * 1024
LARGE_BYTES: Final = 32 * 1024 * 1024


def keep_freed_memory() -> None:
    """Keep what arrays of a moment leave behind for the next ones, instead of giving it to the kernel each time.

    The kernel clears each page that it hands out anew: a third of a drain's time went there. Only glibc knows of this.
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(_TRIM_THRESHOLD, KEPT_BYTES)
