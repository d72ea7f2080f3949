"""How numeric kernels are compiled. Only modules that no web process loads at its start have any."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numba

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """The function as machine code, kept beside its file; other threads run meanwhile, and x / 0 is what numpy says."""
    return numba.njit(cache=True, nogil=True, error_model="numpy")(function)
