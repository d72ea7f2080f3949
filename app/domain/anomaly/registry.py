"""The detectors that score streams of single series: a new one is a file and a line here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.domain.anomaly.base import Detector
from app.domain.anomaly.novelty import Novelty

DETECTORS: Final[Mapping[str, type[Detector]]] = {"novelty": Novelty}
