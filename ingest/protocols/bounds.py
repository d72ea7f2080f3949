"""What one request may unfold to in memory: bodies are small beside what two bytes of them can stand for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from app.errors import TooLarge

# What msgspec raises for a text that is no JSON, is nested too deep, or is not UTF-8.
NOT_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

# Items of a list (series, rows, points): one may be two bytes short and cost a hundred here.
MOST_ITEMS: Final = 500_000
# Samples of those decoders that keep a number for each; a line or point may hold many.
MOST_SAMPLES: Final = 1_000_000
# All series keys together: a name stands once in a body and in the key of each of its series.
MOST_KEY_BYTES: Final = 256 * 1024 * 1024
# JSON becomes objects before anything can be counted, and so is counted by its commas.
MOST_COMMAS: Final = 5_000_000


def check_json(body: bytes) -> None:
    """Raise TooLarge when a JSON text has too many values to be read at once."""
    if len(body) > MOST_COMMAS and body.count(b",") > MOST_COMMAS:
        raise TooLarge(f"the body has more than {MOST_COMMAS} values")


def check_items(count: int) -> None:
    """Raise TooLarge when a request has too many items."""
    if count > MOST_ITEMS:
        raise TooLarge(f"the body has more than {MOST_ITEMS} items")


def check_samples(count: int) -> None:
    """Raise TooLarge when a request has too many samples."""
    if count > MOST_SAMPLES:
        raise TooLarge(f"the body has more than {MOST_SAMPLES} samples")


def check_lines(body: bytes) -> None:
    """Raise TooLarge when a body of lines has too many of them, or too many fields."""
    check_items(body.count(b"\n"))
    if body.count(b"=") > MOST_COMMAS:
        raise TooLarge(f"the body has more than {MOST_COMMAS} tags and fields")


def check_keys(total: int) -> None:
    """Raise TooLarge when the series keys of a request are too long together."""
    if total > MOST_KEY_BYTES:
        raise TooLarge(f"the series of the body have more than {MOST_KEY_BYTES} bytes of labels")


def bounded(keys: Iterable[bytes]) -> list[bytes]:
    """The series keys as they are made; raises TooLarge once they are too long together."""
    total = 0
    kept = []
    for key in keys:
        total += len(key)
        check_keys(total)
        kept.append(key)
    return kept
