"""Cells of files that spreadsheets open."""

from __future__ import annotations

from typing import Final

_RUNS: Final = ("=", "+", "-", "@", "\t", "\r")


def harmless(text: str) -> str:
    """A text that a spreadsheet will not run as a formula."""
    return f"'{text}" if text[:1] in _RUNS else text
