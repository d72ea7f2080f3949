"""Every script under scripts/ holds; tests/factories/promql_script.py explains their language."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.promql.functions import FUNCTIONS
from tests.factories.promql_script import Query, read_script, run_script

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.test"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script(path: Path) -> None:
    wrong = [f"{path.name}:{query.line} {query.expr}\n  {fault}" for query, fault in run_script(path) if fault]
    assert not wrong, "\n".join(wrong)


def test_every_function_has_a_block() -> None:
    asked = " ".join(command.expr for path in SCRIPTS for command in read_script(path) if isinstance(command, Query))
    assert [name for name in FUNCTIONS if f"{name}(" not in asked] == []
