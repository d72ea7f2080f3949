"""The SNMP communities of the demo's tenants: random, kept in the home, known to the seed and the simulator."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

import msgspec

from app.demo.journal import demo_folder, read_json, write_atomically
from app.demo.places import ORGANISATIONS


def communities(home: Path) -> Mapping[str, str]:
    """The community of each tenant; made at the first call."""
    path = demo_folder(home) / "communities.json"
    known = read_json(path)
    if not known:
        known = {organisation.name: secrets.token_hex(12) for organisation in ORGANISATIONS}
        write_atomically(path, msgspec.json.encode(known), mode=0o600)
    return known
