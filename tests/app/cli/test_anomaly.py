"""`anomaly score`: rows in, the same rows with scores out; nothing is seen before its time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.__main__ import main

NAB = Path(__file__).parents[4] / "shared" / "data" / "nab" / "data"
SERIES = NAB / "realKnownCause" / "machine_temperature_system_failure.csv"


def _scores(text: str) -> list[float]:
    return [float(line.rsplit(",", 1)[1]) for line in text.splitlines()[1:]]


def test_later_rows_change_no_score_before_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = SERIES.read_text().splitlines(keepends=True)
    part = tmp_path / "part.csv"
    found = []
    for count in (6_000, len(lines)):
        part.write_text("".join(lines[:count]))
        assert main(["anomaly", "score", str(part)]) == 0
        out = capsys.readouterr().out
        assert [line.rsplit(",", 1)[0] for line in out.splitlines()[1:]] == [line.strip() for line in lines[1:count]]
        found.append(_scores(out))
    assert found[1][: len(found[0])] == found[0]
    assert 0 < max(found[1]) <= 1
    assert np.count_nonzero(found[1]) < len(found[1]) / 10


def test_a_folder_keeps_its_tree(tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    for name, value in (("one.csv", "1"), ("deep/two.csv", "")):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(f"timestamp,value\n2026-11-24 08:00:00,{value}\n2026-11-24T08:05:00Z,2\n")
    assert main(["anomaly", "score", str(source), "--out", str(out)]) == 0
    expected = "timestamp,value,anomaly_score\n2026-11-24 08:00:00,,0.000000\n2026-11-24T08:05:00Z,2,0.000000\n"
    assert (out / "deep" / "two.csv").read_text() == expected
    assert (out / "one.csv").read_text().splitlines()[1] == "2026-11-24 08:00:00,1,0.000000"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("time,value\n", "the first line must be"),
        ("timestamp,value\n2026-11-24 08:00:00,1\nyesterday,2\n", "line 3"),
        ("timestamp,value\n2026-11-24 08:00:00,much\n", "'much' is no number"),
    ],
)
def test_what_cannot_be_read_is_named(
    text: str, complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "broken.csv"
    file.write_text(text)
    assert main(["anomaly", "score", str(file)]) == 2
    assert complaint in capsys.readouterr().err
