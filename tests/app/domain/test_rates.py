"""Counters to rates: wraps, resets, gaps, and never a spike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.rates import Quality, rates, uptime_restarted

GIGABIT = 125e6  # octets per second
NAN = float("nan")


def one(
    previous: float, current: float, *, bits: int = 64, most: float = GIGABIT, restarted: bool = False, s: float = 60
):
    found, quality = rates(
        np.array([previous], dtype=float), np.array([current], dtype=float), elapsed_s=s, bits=np.array([bits]),
        most_per_s=np.array([most]), has_restarted=restarted,
    )  # fmt: skip
    return found[0], Quality(quality[0])


@pytest.mark.parametrize(
    ("previous", "current", "how", "rate", "quality"),
    [
        pytest.param(1000, 7000, {}, 100, Quality.OK, id="counts on"),
        pytest.param(1000, 1000, {}, 0, Quality.OK, id="stands still"),
        pytest.param(NAN, 7000, {}, NAN, Quality.FIRST, id="the first reading"),
        pytest.param(1000, NAN, {}, NAN, Quality.MISSING, id="no reading"),
        pytest.param(2**40, 1000, {}, NAN, Quality.RESET, id="64-bit counter on a rebooted switch"),
        pytest.param(2**32 - 1000, 5000, {"bits": 32}, 100, Quality.WRAPPED, id="32-bit counter that wraps"),
        pytest.param(10**9, 5000, {"bits": 32, "most": 1e6}, NAN, Quality.RESET, id="wrap that the link cannot carry"),
        pytest.param(2**32 - 1000, 5000, {"bits": 32, "restarted": True}, NAN, Quality.RESET, id="restart, not a wrap"),
        pytest.param(2**32 - 1000, 5000, {"bits": 32, "most": NAN}, NAN, Quality.RESET, id="speed unknown"),
        pytest.param(1000, 7000, {"restarted": True}, NAN, Quality.RESET, id="restarted and already beyond"),
        pytest.param(1000, 7000, {"s": 0}, NAN, Quality.STANDSTILL, id="no time between"),
    ],
)
def test_rate(previous: float, current: float, how: dict, rate: float, quality: Quality) -> None:
    found, told = one(previous, current, **how)
    assert told == quality
    assert found == pytest.approx(rate, nan_ok=True)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.sampled_from([32, 64]), st.booleans())
def test_a_rate_is_never_negative_and_a_guess_never_above_the_link(
    previous: int, current: int, bits: int, restarted: bool
) -> None:
    found, quality = one(previous, current, bits=bits, restarted=restarted)
    assert not found < 0
    if quality == Quality.WRAPPED:
        assert found <= GIGABIT


@pytest.mark.parametrize(
    ("previous", "current", "restarted"),
    [
        pytest.param(1000, 7000, False, id="goes on"),
        pytest.param(10**8, 500, True, id="restart"),
        pytest.param(2**32 - 3000, 3000, False, id="497 days"),
        pytest.param(2**32 - 10**8, 3000, True, id="restart close to 497 days"),
    ],
)
def test_uptime(previous: float, current: float, restarted: bool) -> None:
    assert uptime_restarted(previous, current, elapsed_s=60) is restarted
