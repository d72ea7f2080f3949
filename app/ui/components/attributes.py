"""Attributes whose names are no Python names: aria-…, data-…."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def attrs(pairs: Mapping[str, str]) -> dict[str, Any]:
    """`html.Div(..., **attrs({"aria-label": "Alerts"}))`: the typed way to give such attributes."""
    return dict(pairs)
