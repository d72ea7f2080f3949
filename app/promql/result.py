"""What a query answers: the four shapes of Prometheus's API, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.domain.labels import Labels
from app.domain.samples import Float64s, Int64s


@dataclass(frozen=True)
class Account:
    """What a query cost and what it has to say: samples loaded, the most held at once, hints for its author.

    `tier_ms` is the coarsest resolution that was read, 0 if nothing but samples.
    """

    samples: int = 0
    peak: int = 0
    infos: tuple[str, ...] = ()
    tier_ms: int = 0


NO_ACCOUNT = Account()


@dataclass(frozen=True)
class Scalar:
    """One number."""

    ts_ms: int
    value: float
    account: Account = field(default=NO_ACCOUNT, compare=False)


@dataclass(frozen=True)
class String:
    """One string."""

    ts_ms: int
    value: str
    account: Account = field(default=NO_ACCOUNT, compare=False)


@dataclass(frozen=True)
class Vector:
    """Series with one value each at `ts_ms`; `values`: (n,) float64, a NaN here is a value."""

    labels: Sequence[Labels]
    values: Float64s
    ts_ms: int
    warnings: tuple[str, ...] = field(default=())
    account: Account = field(default=NO_ACCOUNT, compare=False)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Matrix:
    """Series over steps. `ts_ms`: (t,) int64; `values`: (n, t) float64, ABSENT = no point at that step."""

    labels: Sequence[Labels]
    ts_ms: Int64s
    values: Float64s
    warnings: tuple[str, ...] = field(default=())
    account: Account = field(default=NO_ACCOUNT, compare=False)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class RawMatrix:
    """The answer to an instant query for a range vector: the samples as stored, each series with its own times."""

    labels: Sequence[Labels]
    ts_ms: Sequence[Int64s]
    values: Sequence[Float64s]
    warnings: tuple[str, ...] = field(default=())
    account: Account = field(default=NO_ACCOUNT, compare=False)

    def __len__(self) -> int:
        return len(self.labels)


Result = Scalar | String | Vector | Matrix | RawMatrix
