"""InfluxDB line protocol as Telegraf writes it."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.labels import decode_labels
from app.errors import DecodeError
from ingest.protocols.influx import decode

NOW = 1_770_000_000_000
NS = NOW * 1_000_000


def listed(text: str, precision: str = "") -> tuple[list[tuple[dict[str, str], int, float]], dict[int, str]]:
    batch = decode(text.encode(), precision=precision, now_ms=7)
    keys = [dict(decode_labels(key)) if key else {} for key in batch.keys]
    rows = zip(batch.series.tolist(), batch.ts_ms.tolist(), batch.values.tolist(), strict=True)
    return [(keys[number], ts, value) for number, ts, value in rows], {r.index: r.reason for r in batch.rejected}


def test_fields_become_metrics_and_tags_labels() -> None:
    samples, rejected = listed(f'cpu,host=a,cpu=cpu0 usage_idle=99.5,n=3i,big=7u,up=true,why="busy, or so" {NS}')
    tags = {"host": "a", "cpu": "cpu0"}
    assert samples == [
        ({"__name__": f"cpu_{name}", **tags}, NOW, value)
        for name, value in (("usage_idle", 99.5), ("n", 3.0), ("big", 7.0), ("up", 1.0))
    ]
    assert not rejected


@pytest.mark.parametrize(
    ("line", "labels"),
    [
        pytest.param(r"my\ disk,path=/var\ log v=1", {"__name__": "my disk_v", "path": "/var log"}, id="spaces"),
        pytest.param(r"m,a\,b=c\=d v=1", {"__name__": "m_v", "a,b": "c=d"}, id="comma and equals"),
        pytest.param('m,a="q" v=1', {"__name__": "m_v", "a": '"q"'}, id="quotes in a tag are letters"),
        pytest.param(r"m,a=C:\dir v=1", {"__name__": "m_v", "a": "C:\\dir"}, id="another backslash stays"),
        pytest.param('m s="a b,c=\\"d\\" #",v=1', {"__name__": "m_v"}, id="a text with everything"),
        pytest.param("m  v=1  ", {"__name__": "m_v"}, id="more spaces"),
    ],
)
def test_escapes(line: str, labels: dict[str, str]) -> None:
    assert listed(line) == ([(labels, 7, 1.0)], {})


@pytest.mark.parametrize(
    ("precision", "stamp"),
    [("", NS), ("ns", NS), ("us", NOW * 1000), ("ms", NOW), ("s", NOW // 1000), ("m", NOW // 60_000)],
)
def test_precision(precision: str, stamp: int) -> None:
    assert listed(f"m v=1 {stamp}", precision)[0][0][1] == NOW // 60_000 * 60_000


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param("m", "no fields", id="a measurement alone"),
        pytest.param("m v=", "without a value", id="no value"),
        pytest.param("m v=1,", "without a value", id="a comma at the end"),
        pytest.param("m v=1,,w=2", "without a value", id="two commas"),
        pytest.param("m v=abc", "neither", id="a bare word"),
        pytest.param("m v=1i5", "neither", id="a broken integer"),
        pytest.param("m v=1 soon", "whole number", id="a time in words"),
        pytest.param(f"m v=1 {NS}000", "range", id="a wrong precision"),
        pytest.param("m,a v=1", "tag", id="a tag without value"),
        pytest.param("m,a= v=1", "tag", id="an empty tag"),
        pytest.param(",a=b v=1", "tag", id="no measurement"),
    ],
)
def test_a_bad_line_is_told_and_the_others_are_taken(line: str, reason: str) -> None:
    samples, rejected = listed(f"good v=1\n# a comment\n\n{line}\ngood v=2")
    assert [value for _, _, value in samples] == [1.0, 2.0]
    assert list(rejected) == [3]
    assert reason in rejected[3]


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(DecodeError, match="precision"):
        decode(b"m v=1", precision="days", now_ms=0)


@given(st.one_of(st.binary(max_size=60), st.text(alphabet='m,= v1"\\\n#ai.-e', max_size=60).map(str.encode)))
def test_garbage_raises_nothing_but_decode_error(body: bytes) -> None:
    with contextlib.suppress(DecodeError):
        decode(body, precision="", now_ms=0)


def test_a_long_hostile_line_takes_no_time() -> None:
    for line in ('m v="' + "\\" * 100_000, "m " + "v=1," * 100_000, "m,a=" + "=" * 100_000, "m" + " " * 100_000):
        listed(line)
