"""The pages, one module each: PATH, TITLE, ids and layout(**url). A new page is a line here and in callbacks/."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from pages import alerts, device, explore, floor, inventory

PAGES: Final[tuple[ModuleType, ...]] = (
    floor,
    alerts,
    explore,
    inventory,
    device,
)
