"""`make bench`: runs every benchmark beside this file, prints one table, writes bench/results.json.

A benchmark is a module with `main() -> list[dict]`; each dict is one row: `name`, `value`, `unit`, and where there is
one a `ratio` to the reference of the same run, its `limit` (what it must keep) and `goal`, and a `note`.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
import traceback
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results.json"
WITH_PEERS, PEERS = "--peers", "peers"
COLUMNS = ("name", "value", "unit", "ratio", "limit", "goal", "note")


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all; answers the exit code. `--peers` adds what others need for the same."""
    rows: list[dict[str, Any]] = []
    failed = []
    wanted = [name for name in names if name != WITH_PEERS] or [name for name in benchmarks() if name != PEERS]
    for name in wanted + [PEERS] * (WITH_PEERS in names):
        print(f"{name} …", flush=True)
        begun = time.monotonic()
        try:
            rows += [{"bench": name, **row} for row in import_module(f"bench.{name}").main()]
        except Exception:  # noqa: BLE001  one broken benchmark must not hide the others
            traceback.print_exc()
            failed.append(name)
        print(f"{name} took {time.monotonic() - begun:.0f} s", flush=True)
    print(table(rows))
    save(rows)
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def benchmarks() -> list[str]:
    """Every module here with a main()."""
    texts = {path.stem: path.read_text() for path in sorted(FOLDER.glob("*.py")) if path.stem != "run"}
    return [name for name, text in texts.items() if "def main(" in text]


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as text, in columns."""
    cells = [COLUMNS, *([_text(row.get(column)) for column in COLUMNS] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(COLUMNS))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)


def save(rows: list[dict[str, Any]]) -> None:
    """Write bench/results.json: the rows and the machine they were measured on."""
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}
    content = {"at": datetime.now(UTC).isoformat(), "machine": machine, "rows": rows}
    RESULTS.write_text(json.dumps(content, indent=2) + "\n")


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
