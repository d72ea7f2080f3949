"""The callbacks of the pages, under the same names. A new page is a line here and in pages/."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from callbacks import alerts, device, explore, floor, inventory

CALLBACKS: Final[tuple[ModuleType, ...]] = (
    floor,
    alerts,
    explore,
    inventory,
    device,
)
