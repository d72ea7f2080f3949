"""Chance that is the same on every machine and in every run: numbers drawn from words and from integers."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

Choice = TypeVar("Choice")

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)


def fraction(*words: object) -> float:
    """A number in [0, 1) that belongs to these words."""
    return _number(words) / 2**64


def pick(choices: Sequence[Choice], *words: object) -> Choice:
    """One of `choices`, the one that belongs to these words."""
    return choices[_number(words) % len(choices)]


def between(low: float, high: float, *words: object) -> float:
    """A number in [low, high) that belongs to these words."""
    return low + (high - low) * fraction(*words)


def hash_uniform(cells: NDArray[np.int64], streams: NDArray[np.int64], *, salt: int) -> NDArray[np.float64]:
    """Noise in [-1, 1) for each (cell, stream), broadcast together; without state, so any time can be asked.

    Source: splitmix64's finaliser (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators").
    """
    with np.errstate(over="ignore"):
        mixed = cells.astype(np.uint64) * _GOLDEN + streams.astype(np.uint64) * _MIX_2 + np.uint64(salt) * _MIX_1
        mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX_1
        mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_2
    signed = (mixed ^ (mixed >> np.uint64(31))).view(np.int64)
    return np.asarray(signed, dtype=np.float64) / 2.0**63


def _number(words: tuple[object, ...]) -> int:
    digest = blake2b("\x1f".join(map(str, words)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")
