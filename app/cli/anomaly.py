"""`anomaly score`: scores of CSV files, by the code that scores online, without a database."""

from __future__ import annotations

import csv
import io
import math
from datetime import UTC, datetime
from pathlib import Path

import click
import numpy as np

from app.domain.anomaly.base import Float32s
from app.domain.anomaly.novelty import Novelty
from app.domain.samples import Float64s, Int64s
from app.errors import InvalidInput

HEADER = ["timestamp", "value"]


@click.group()
def anomaly() -> None:
    """How unusual the points of a series are."""


@anomaly.command()
@click.argument("source", metavar="FILE|DIR", type=click.Path(exists=True, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Where the answer goes: a file, or for DIR a folder.")
def score(source: Path, out: Path | None) -> None:
    """Score `timestamp,value` rows: each by those before it, 0 (as ever) to 1; of a lasting condition the worst row.

    A folder is walked and its tree kept. FILE without --out is answered on standard output.
    """
    if source.is_file():
        answer = _scored(source)
        if out is None:
            click.echo(answer, nl=False)
        else:
            _write(out, answer)
        return
    if out is None:
        raise InvalidInput("--out", "a folder needs a folder to write to")
    files = sorted(source.rglob("*.csv"))
    if not files:
        raise InvalidInput(str(source), "there is no .csv file in it")
    for file in files:
        _write(out / file.relative_to(source), _scored(file))


def _write(path: Path, answer: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(answer, encoding="utf-8", newline="")


def _scored(path: Path) -> str:
    """The file's rows with `anomaly_score` behind them."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.reader(lines)
        if [name.strip().lower() for name in next(reader, [])][:2] != HEADER:
            raise InvalidInput(str(path), "the first line must be `timestamp,value`")
        rows = [row for row in reader if row]
    ts_ms = np.array([_time_ms(path, at, row) for at, row in enumerate(rows, 2)], dtype=np.int64)
    values = np.array([_value(path, at, row) for at, row in enumerate(rows, 2)])
    scores = score_series(ts_ms, values)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*HEADER, "anomaly_score"])
    writer.writerows([*row[:2], f"{found:.6f}"] for row, found in zip(rows, scores.tolist(), strict=True))
    return out.getvalue()


def score_series(ts_ms: Int64s, values: Float64s) -> Float32s:
    """Recorded scores (n,) in [0, 1] of one series; NaN values score 0."""
    return Novelty.empty(1).score(np.zeros(len(values), dtype=np.int32), ts_ms, values).recorded


def _time_ms(path: Path, line: int, row: list[str]) -> int:
    try:
        moment = datetime.fromisoformat(row[0].strip())
    except ValueError:
        raise InvalidInput(f"{path}, line {line}", f"{row[0]!r} is no time such as 2026-11-24 08:00:00") from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _value(path: Path, line: int, row: list[str]) -> float:
    text = row[1].strip() if len(row) > 1 else ""
    if not text:
        return math.nan
    try:
        return float(text)
    except ValueError:
        raise InvalidInput(f"{path}, line {line}", f"{text!r} is no number") from None
