"""What of a counter's rate is error of its clocks: the same for all who score rates."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.anomaly.base import Scores, View
from app.domain.samples import Float64s

# Readings are stamped some hundreds of milliseconds off, of the fifteen seconds between them.
RATE_ERROR: Final = 0.02


def without_jitter(scores: Scores, values: Float64s, is_rate: NDArray[np.bool_]) -> Scores:
    """The scores (n,), with nothing said of rates that are as near to a past one as clocks can be wrong.

    A line that carries the same every second would else be found unusual by a thousandth.
    """
    with np.errstate(invalid="ignore"):
        near = is_rate & (np.abs(values - scores.nearest) <= RATE_ERROR * np.abs(values))
    if not near.any():
        return scores
    zero = np.float32(0.0)
    return replace(
        scores,
        raw=np.where(near, zero, scores.raw),
        recorded=np.where(near, zero, scores.recorded),
        view=np.where(near, np.uint8(View.NONE), scores.view),
    )
