"""`python -m app forecast FILE.csv`."""

from __future__ import annotations

import csv
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.__main__ import main

START = datetime(2026, 1, 1, tzinfo=UTC)


def load(i: int) -> float:
    """A day between 50 and 150."""
    return 100 + 50 * math.sin(2 * math.pi * i / 24) + (i * 7919 % 13) / 4


def save(path: Path, rows: list[tuple[str, str, str]]) -> Path:
    with path.open("w", newline="") as text:
        csv.writer(text).writerows([("unique_id", "ds", "y"), *rows])
    return path


def test_one_series_with_times_goes_on_where_it_ended(tmp_path: Path) -> None:
    rows = [("a", (START + timedelta(hours=i)).isoformat(), str(load(i))) for i in range(480)]
    file, out = save(tmp_path / "one.csv", rows), tmp_path / "out.csv"
    assert main(["forecast", str(file), "--horizon", "30", "--out", str(out)]) == 0
    with out.open() as text:
        found = list(csv.DictReader(text))
    assert [row["ds"] for row in found[:2]] == ["2026-01-21 00:00:00", "2026-01-21 01:00:00"]
    assert len(found) == 30
    assert all(abs(float(row["mean"]) - load(480 + k)) < 10 for k, row in enumerate(found))
    assert all(float(row["lo95"]) <= float(row["lo80"]) <= float(row["mean"]) for row in found)


def test_gaps_are_borne_and_a_series_without_a_number_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [("a", str(i), "" if i % 5 == 0 else str(load(i))) for i in range(96)]
    rows += [("dead", str(i), "nan") for i in range(96)]
    assert main(["forecast", str(save(tmp_path / "gaps.csv", rows)), "--horizon", "2", "--season", "24"]) == 0
    found = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [(row["unique_id"], row["ds"]) for row in found] == [("a", "96"), ("a", "97")]


@pytest.mark.parametrize(
    ("row", "arguments", "said"),
    [
        pytest.param(("a", "1", "x"), [], "'x' is not a number", id="a word as value"),
        pytest.param(("a", "yesterday", "1"), [], "'yesterday' is neither", id="a word as time"),
        pytest.param(("a", "1", "1"), ["--freq", "1m"], "5min, 1h, D or W", id="a step that is none"),
    ],
)
def test_what_is_wrong_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], row: tuple[str, str, str], arguments: list[str], said: str
) -> None:
    file = save(tmp_path / "bad.csv", [row])
    assert main(["forecast", str(file), "--horizon", "2", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_auto_arima_takes_part_when_it_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Days that grow: nothing that repeats the past can follow."""
    rows = [("a", (START + timedelta(days=i)).date().isoformat(), str(100 + 5 * i + i % 7)) for i in range(42)]
    file = save(tmp_path / "days.csv", rows)
    assert main(["forecast", str(file), "--horizon", "3", "--arima"]) == 0
    found = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert {row["model"] for row in found} == {"auto_arima"}
    assert [float(row["mean"]) for row in found] == pytest.approx([100 + 5 * i + i % 7 for i in (42, 43, 44)], rel=0.01)
