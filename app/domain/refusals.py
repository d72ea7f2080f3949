"""Why samples are refused: few words to count by, whatever the sentence that the sender is told."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from app.domain.samples import GONE, TOO_NEW, TOO_OLD

AT_LIMIT: Final = "the tenant is at its limit of series"
TOO_MANY_NEW: Final = "more new series a minute than the tenant may have"


class Refusal(StrEnum):
    """The reason as a word; also the label of the counters."""

    TOO_OLD = "too_old"
    TOO_NEW = "too_new"
    LABELS = "labels"
    SERIES_LIMIT = "series_limit"
    NEW_SERIES = "new_series"
    OVER_RATE = "over_rate"
    TOO_LARGE = "too_large"
    UNSUPPORTED = "unsupported"
    UNREADABLE = "unreadable"
    MALFORMED = "malformed"


SENTENCES: Final[Mapping[str, Refusal]] = {
    TOO_OLD: Refusal.TOO_OLD,
    GONE: Refusal.TOO_OLD,
    TOO_NEW: Refusal.TOO_NEW,
    AT_LIMIT: Refusal.SERIES_LIMIT,
    TOO_MANY_NEW: Refusal.NEW_SERIES,
}
# How the sentences of check_labels() begin; some go on with a number.
OF_LABELS: Final = (
    "malformed labels",
    "more than",
    "the same label twice",
    "no metric name",
    "a label ",
    "a NUL character in a label",
)
# Of a whole request, by the status that it was answered with.
OF_STATUS: Final[Mapping[int, Refusal]] = {
    400: Refusal.UNREADABLE,
    413: Refusal.TOO_LARGE,
    415: Refusal.UNSUPPORTED,
    429: Refusal.OVER_RATE,
}


def refusal_of(sentence: str) -> Refusal:
    """The word for what was said of a sample.

    >>> refusal_of("more than 64 labels"), refusal_of("value is not a number")
    (<Refusal.LABELS: 'labels'>, <Refusal.MALFORMED: 'malformed'>)
    """
    known = SENTENCES.get(sentence)
    if known is not None:
        return known
    if sentence.endswith("not supported"):
        return Refusal.UNSUPPORTED
    return Refusal.LABELS if sentence.startswith(OF_LABELS) else Refusal.MALFORMED
