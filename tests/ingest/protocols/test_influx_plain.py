"""Plain lines read many at once are what they are one by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.protocols import influx, influx_plain

NOW = 1_770_000_000_000
UNIT = influx.PRECISIONS["ns"]

NUMBERS = [
    "0",
    "-0",
    "-0i",
    "1",
    "-7i",
    "3u",
    "+4",
    ".5",
    "5.",
    "1e3",
    "-1.5E-2",
    "007",
    "1e400",
    "123456789012345678i",
]
ODD = ["1.5i", "1e3i", "i", "e", "-", "t", "False", "abc", "", '"text, a=b"', "1_0", "nan", "inf", "٣"]
FIELD = st.tuples(st.sampled_from(["v", "usage_idle", "i", "a\\ b", "é"]), st.sampled_from(NUMBERS * 3 + ODD))
HEAD = st.sampled_from(["cpu,host=a", "cpu,host=b", "m", "m,a=b,é=ü", "m,a", "m,=b", "m,a=b=c", ",a=b", r"m,a=b\ c"])
STAMP = st.sampled_from([f" {NOW}000000", f" {NOW + 1}000000", "", "  1", " soon", " 99999999999999999999"])


def in_order(batch: influx.Batch) -> list[tuple[bytes, int, str, int]]:
    keys = [batch.keys[number] for number in batch.series.tolist()]
    columns = batch.ts_ms.tolist(), map(repr, batch.values.tolist()), batch.positions.tolist()
    return list(zip(keys, *columns, strict=True))


@st.composite
def lines(draw: st.DrawFn) -> str:
    fields = draw(st.lists(FIELD, min_size=1, max_size=3))
    return f"{draw(HEAD)} {','.join(f'{name}={value}' for name, value in fields)}{draw(STAMP)}"


@given(st.lists(st.one_of(lines(), st.sampled_from(["", "# a comment", "m"])), max_size=6))
def test_many_at_once_is_one_by_one(given_lines: list[str]) -> None:
    body = "\n".join(given_lines).encode()
    wanted = [(i, s) for i, line in enumerate(body.split(b"\n")) if (s := line.strip(b" \t\r")) and s[:1] != b"#"]
    slow = influx._read_slowly(wanted, UNIT, 7)
    found = influx.decode(body, precision="ns", now_ms=7)
    assert in_order(found) == in_order(slow)
    assert sorted(found.rejected, key=repr) == sorted(slow.rejected, key=repr)


@pytest.mark.parametrize(
    ("fields", "values"),
    [
        pytest.param([b"a=1,b=2.5", b"c=-3i"], [1.0, 2.5, -3.0], id="as agents write"),
        pytest.param([b"a=.5,b=+1"], [0.5, 1.0], id="not as JSON has it"),
        pytest.param([b"a=1.5i"], None, id="a whole number with a fraction"),
        pytest.param([b"a=1,b=1e3i"], None, id="and with an exponent"),
        pytest.param([b"a=1=2,b"], None, id="two equals signs"),
        pytest.param([b"a=1,"], None, id="a comma at the end"),
        pytest.param([b"=1"], None, id="no name"),
        pytest.param([b"a=t"], None, id="a boolean is left to the other"),
    ],
)
def test_only_plain_numbers_are_read(fields: list[bytes], values: list[float] | None) -> None:
    read = influx_plain.read([b"m,host=a"] * len(fields), fields)
    assert (None if read is None else read.values.tolist()) == values
