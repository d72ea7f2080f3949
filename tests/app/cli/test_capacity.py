"""`python -m app capacity FILE.json`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.__main__ import main


def test_links_of_a_file_are_answered(tmp_path: Path) -> None:
    file, out = tmp_path / "case.json", tmp_path / "answer.json"
    links = [
        {"id": "grows", "daily_p95": [50 + 0.2 * day + day % 7 for day in range(180)]},
        {"id": "rests", "daily_p95": [20 + day % 3 for day in range(60)]},
    ]
    file.write_text(json.dumps({"threshold": 90, "links": links}))
    assert main(["capacity", str(file), "--out", str(out)]) == 0
    answer = json.loads(out.read_text())
    assert list(answer) == ["grows", "rests"]
    assert set(answer["grows"]) == {"p30", "p90", "p180", "d10", "d90", "d025", "d975"}
    assert answer["grows"]["p180"] > 0.9
    assert answer["rests"]["d90"] is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("{", "file", id="no JSON"),
        pytest.param('{"links": [{"id": "a", "daily_p95": [1, 2]}]}', "28 more days", id="two days"),
        pytest.param('{"threshold": 0, "links": []}', "threshold", id="no threshold"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str) -> None:
    file = tmp_path / "case.json"
    file.write_text(text)
    assert main(["capacity", str(file)]) == 2
    assert said in capsys.readouterr().err
