"""The scorers and generators that stand in ../shared/bench/ml, outside of the project."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Final

SHARED: Final = Path(__file__).parents[2] / "shared"


def scorer(name: str) -> Any:
    """The module of this name there."""
    folder = str(SHARED / "bench" / "ml")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return import_module(name)
