"""docs/map.md is the tree: each module with what it says about itself."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("app", "pages", "callbacks", "ingest", "models", "migrations", "workers", "deploy", "bench")
HEAD = """# Map

Which file knows what: the first sentence of each module. Made by `make map`; a test compares it with the tree.
The doors are `ingest/` (telemetry in), `app/api/` (programs), `pages/` and `callbacks/` (people), `workers/` (time).
A door parses, calls one query or action, and answers.
"""


def map_of_tree() -> str:
    """The text that docs/map.md should have."""
    lines = [HEAD, "| file | what it knows |", "| --- | --- |", _line(ROOT / "wsgi.py"), _line(ROOT / "asgi.py")]
    for folder in FOLDERS:
        lines += [_line(path) for path in sorted((ROOT / folder).rglob("*.py")) if path.read_text().strip()]
    return "\n".join(lines) + "\n"


def _line(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    sentence = " ".join(text.split("\n\n", 1)[0].split()).replace("|", "\\|")
    return f"| `{path.relative_to(ROOT)}` | {sentence} |"


def test_the_map_is_the_tree() -> None:
    assert (ROOT / "docs" / "map.md").read_text() == map_of_tree(), "run `make map`"


def test_every_module_says_what_it_is() -> None:
    silent = [line.split("`")[1] for line in map_of_tree().splitlines() if line.endswith("` |  |")]
    assert not silent


if __name__ == "__main__":
    (ROOT / "docs" / "map.md").write_text(map_of_tree())
