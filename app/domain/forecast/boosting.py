"""One gradient-boosted model for all series of a family: it corrects seasonal naive.

Kept as plain arrays (the nodes of its trees), so that an artefact is data and never code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from app.domain.compiled import compiled
from app.domain.forecast import features as defined
from app.domain.forecast.base import filled
from app.domain.forecast.features import Features, features
from app.domain.samples import Float64s

NAME: Final = "global_boosting"
MOST_ROWS: Final = 1_500_000
MOST_CORRECTION: Final = 50.0
BATCH: Final = 2_000
ARRAYS: Final = ("roots", "feature", "threshold", "left", "right", "missing_left", "value", "facts")


@dataclass(frozen=True)
class GlobalModel:
    """Trees as arrays over nodes; `facts` = baseline, season, horizon, version of the features."""

    arrays: Mapping[str, NDArray[Any]]

    @classmethod
    def fit(
        cls, history: Float64s, *, horizon: int, season: int, origins: int = 14, hold_back: int = 0, seed: int = 4
    ) -> Self:
        """Fit on `origins` past origins of each series of (n, t), the newest `hold_back` values unseen.

        Origins lie half a horizon apart. What is missing (NaN) is closed as a past to look back at, but is no target.
        Raises ValueError when no series has a season before and a horizon after an origin.
        """
        known = filled(history, season)
        seen = known.shape[1] - hold_back
        known = known[:, :seen]
        is_measured = np.isfinite(history[:, :seen])
        rows, targets = _training(known, is_measured, horizon=horizon, season=season, origins=origins)
        if len(rows) > MOST_ROWS:
            chosen = np.random.default_rng(seed).choice(len(rows), MOST_ROWS, replace=False)
            rows, targets = rows[chosen], targets[chosen]
        # scikit-learn cannot cut a column of which nothing is known (a week before, in a short past) into bins.
        rows[:, np.isnan(rows).all(axis=0)] = 0
        model = HistGradientBoostingRegressor(
            loss="absolute_error",
            max_iter=250,
            learning_rate=0.06,
            max_leaf_nodes=31,
            min_samples_leaf=40,
            l2_regularization=1.0,
            early_stopping=False,
            random_state=seed,
        )
        # Threads that wait for each other spin: where others need the cores, two take many times as long as one.
        with threadpool_limits(limits=1, user_api="openmp"):
            model.fit(rows, targets)
        return cls(arrays_of(model, season=season, horizon=horizon))

    @property
    def season(self) -> int:
        """Steps of a season."""
        return int(self.arrays["facts"][1])

    def predict_batch(self, history: Float64s, horizon: int) -> Float64s:
        """The next `horizon` values of each series of (n, t), (n, h); NaN where not even one season is known."""
        season = self.season
        out = np.full((len(history), horizon), np.nan)
        if history.shape[1] < season:
            return out
        for at in range(0, len(history), BATCH):
            seen = features(filled(history[at : at + BATCH], season), horizon=horizon, season=season)
            out[at : at + BATCH] = self.corrected(seen)
        return out

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The model as plain arrays, for numpy.savez and numpy.load(allow_pickle=False)."""
        return dict(self.arrays)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The model again. Raises ValueError for arrays that are not one, or of other features."""
        _check(arrays)
        return cls({name: np.ascontiguousarray(arrays[name]) for name in ARRAYS})

    def corrected(self, seen: Features) -> Float64s:
        """Seasonal naive plus what the trees say of these features, (n, h)."""
        a = self.arrays
        correction = np.full(len(seen.rows), float(a["facts"][0]))
        _walk(_Trees(*(a[name] for name in _Trees._fields)), seen.rows, correction)
        return seen.naive + correction.reshape(seen.naive.shape) * seen.scale[:, None]


def _training(
    known: Float64s, is_measured: NDArray[np.bool_], *, horizon: int, season: int, origins: int
) -> tuple[NDArray[np.float32], Float64s]:
    """Rows of features and their targets (the correction of seasonal naive in units of the scale)."""
    rows, targets = [], []
    for back in range(origins):
        end = known.shape[1] - horizon - back * max(horizon // 2, 1)
        if end < season + 1:
            break
        seen = features(known[:, :end], horizon=horizon, season=season)
        target = (known[:, end : end + horizon] - seen.naive) / seen.scale[:, None]
        fit = (np.isfinite(target) & is_measured[:, end : end + horizon]).ravel()
        rows.append(seen.rows[fit])
        targets.append(np.clip(target.ravel()[fit], -MOST_CORRECTION, MOST_CORRECTION))
    if not sum(map(len, rows)):
        raise ValueError("no series is long enough for a season before and a horizon after an origin")
    return np.concatenate(rows), np.concatenate(targets)


def arrays_of(model: HistGradientBoostingRegressor, *, season: int, horizon: int) -> dict[str, NDArray[Any]]:
    """The fitted trees, one after the other. Reads scikit-learn's own nodes; a test holds both predictions equal."""
    trees = [tree.nodes for stage in model._predictors for tree in stage]
    sizes = np.cumsum([0, *map(len, trees)])
    shifted = [(nodes, start) for nodes, start in zip(trees, sizes[:-1], strict=True)]
    join = np.concatenate
    return {
        "roots": sizes[:-1].astype(np.int64),
        "feature": join([np.where(nodes["is_leaf"], -1, nodes["feature_idx"]) for nodes in trees]).astype(np.int32),
        "threshold": join([nodes["num_threshold"] for nodes in trees]).astype(np.float64),
        "left": join([nodes["left"] + start for nodes, start in shifted]).astype(np.int32),
        "right": join([nodes["right"] + start for nodes, start in shifted]).astype(np.int32),
        "missing_left": join([nodes["missing_go_to_left"] for nodes in trees]).astype(np.uint8),
        "value": join([nodes["value"] for nodes in trees]).astype(np.float64),
        "facts": np.array([float(np.ravel(model._baseline_prediction)[0]), season, horizon, defined.VERSION]),
    }


def _check(arrays: Mapping[str, NDArray[Any]]) -> None:
    """Refuse what would read outside the arrays or walk in a circle: children come after their parent."""
    missing = [name for name in ARRAYS if name not in arrays]
    if missing:
        raise ValueError(f"not a model: {', '.join(missing)} missing")
    if len(arrays["facts"]) != 4 or int(arrays["facts"][3]) != defined.VERSION:
        raise ValueError("the model was trained on other features")
    nodes = len(arrays["feature"])
    inner = np.flatnonzero(arrays["feature"] >= 0)
    children = np.concatenate([arrays["left"][inner], arrays["right"][inner], arrays["roots"]])
    after = (arrays["left"][inner] > inner) & (arrays["right"][inner] > inner)
    fits = all(len(arrays[name]) == nodes for name in ("threshold", "left", "right", "missing_left", "value"))
    if not (fits and (children >= 0).all() and (children < nodes).all() and after.all()):
        raise ValueError("not a model: the trees are broken")
    if (arrays["feature"] >= len(defined.NAMES)).any():
        raise ValueError("the model was trained on other features")


class _Trees(NamedTuple):
    """Trees as arrays over nodes; `roots`: where each begins; `feature` below 0: a leaf."""

    roots: NDArray[Any]
    feature: NDArray[Any]
    threshold: NDArray[Any]
    left: NDArray[Any]
    right: NDArray[Any]
    missing_left: NDArray[Any]
    value: NDArray[Any]


@compiled
def _walk(trees: _Trees, rows: NDArray[np.float32], out: Float64s) -> None:
    """Add each tree's leaf to `out` (rows,)."""
    for row in range(rows.shape[0]):
        total = 0.0
        for tree in range(trees.roots.shape[0]):
            node = trees.roots[tree]
            while trees.feature[node] >= 0:
                seen = rows[row, trees.feature[node]]
                goes_left = trees.missing_left[node] == 1 if np.isnan(seen) else seen <= trees.threshold[node]
                node = trees.left[node] if goes_left else trees.right[node]
            total += trees.value[node]
        out[row] += total
