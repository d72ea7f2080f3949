"""Every decoder of what agents send: whatever comes, it raises nothing but DecodeError or TooLarge, and stays small."""

from __future__ import annotations

import contextlib
import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.labels import METRIC
from app.domain.samples import Batch, Window
from app.errors import DecodeError, TooLarge
from ingest.bodies import DECOMPRESSORS, decompress
from ingest.protocols import (
    alertmanager,
    bounds,
    collectd,
    events,
    exemplars,
    influx,
    json_forms,
    native,
    otlp,
    otlp_protobuf,
    remote_write,
    remote_write2,
    telegraf,
)
from tests.factories.prompb import message, snappy, write_request, write_request_2

Decode = Callable[[bytes], Any]

NOW_MS: Final = 1_770_000_000_000
NOW: Final = datetime.fromtimestamp(NOW_MS / 1000, UTC)
SERIES = [({METRIC: "up", "device": "core-1"}, [(NOW_MS, 1.5)]), ({METRIC: "ü", "a": "b"}, [(NOW_MS, 0.0)] * 3)]

DECODERS: Final[dict[str, Decode]] = {
    "remote write 1.0": remote_write.decode,
    "remote write 2.0": remote_write2.decode,
    "line protocol": lambda body: influx.decode(body, precision="", now_ms=NOW_MS),
    "line protocol in seconds": lambda body: influx.decode(body, precision="s", now_ms=NOW_MS),
    "exemplars 1.0": lambda body: exemplars.decode(body, is_v2=False, window=Window(0, 2 * NOW_MS)),
    "exemplars 2.0": lambda body: exemplars.decode(body, is_v2=True, window=Window(0, 2 * NOW_MS)),
    "OTLP protobuf": otlp_protobuf.decode,
    "OTLP protobuf as a tree": otlp.decode_protobuf,
    "OTLP JSON": otlp.decode_json,
    "ours": native.decode,
    "Telegraf": telegraf.decode,
    "collectd": collectd.decode,
    "any JSON": json_forms.decode,
    "alerts": lambda body: alertmanager.decode(body, now=NOW),
    "events": lambda body: events.decode(body, window=Window(0, 2 * NOW_MS)),
}


def _otlp_json() -> bytes:
    point = {"timeUnixNano": str(NOW_MS * 1_000_000), "attributes": [{"key": "a", "value": {"intValue": "7"}}]}
    buckets = point | {"count": "3", "sum": 1.5, "bucketCounts": ["1", "2"], "explicitBounds": [0.5]}
    metrics = [
        {"name": "g", "unit": "s", "gauge": {"dataPoints": [point | {"asDouble": 1.5}, point | {"asInt": "-7"}]}},
        {
            "name": "s",
            "sum": {"isMonotonic": True, "aggregationTemporality": 2, "dataPoints": [point | {"asInt": "7"}]},
        },
        {"name": "h", "histogram": {"aggregationTemporality": 2, "dataPoints": [buckets]}},
        {"name": "q", "summary": {"dataPoints": [point | {"quantileValues": [{"quantile": 0.5, "value": 1}]}]}},
    ]
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "x"}}]}
    body = {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": metrics}]}]}
    return json.dumps(body).encode()


def _otlp_protobuf() -> bytes:
    value = message(1, b"a") + message(2, message(1, b"b"))
    time = b"\x19" + (NOW_MS * 1_000_000).to_bytes(8, "little")
    number = time + b"\x21" + bytes(8) + message(7, value)
    histogram = time + b"\x21" + bytes(8) + b"\x29" + bytes(8) + message(6, bytes(16)) + message(7, bytes(8))
    metrics = message(2, message(1, b"g") + message(5, message(1, number)))
    metrics += message(2, message(1, b"h") + message(9, message(1, histogram + message(9, value))))
    return message(1, message(1, message(1, value)) + message(2, metrics))


EXEMPLAR: Final = b"\x11" + bytes(8) + b"\x18\x80\xd0\xd5\x9c\xc2\x33"

SEEDS: Final = [
    write_request(SERIES, extra=message(3, message(1, message(1, b"trace_id") + message(2, b"x")) + EXEMPLAR)),
    write_request_2(SERIES, extra=message(4, message(1, b"\x01\x02") + EXEMPLAR)),
    write_request(SERIES),
    write_request_2(SERIES, about="Whether it is up.", extra=message(4, b"")),
    b'm\\,x,t=a\\ b,u=\xc3\xbc f=1.5,g=2i,h="te\\"xt, a=b",i=t 1770000000000000000\n# no\n\nm f=-1e3 17\n',
    _otlp_json(),
    _otlp_protobuf(),
    b'{"samples":[{"metric":"up","labels":{"a":"b"},"ts":1770000000000,"value":1},{"metric":"x","ts":"2026-01-01T00:00:00Z"'
    b',"value":"NaN"}]}',
    b'{"series":[{"metric":"up","labels":{"a":"b"},"ts":[1770000000000,1770000000001],"values":[1,2.5]}]}',
    b'{"metrics":[{"name":"cpu","tags":{"h":"a"},"fields":{"idle":1.5,"on":true,"s":"x"},"timestamp":1770000000}]}',
    b'{"name":"cpu","tags":{"h":"a"},"fields":{"idle":1.5},"timestamp":1770000000000}',
    b'[{"values":[1,null],"dstypes":["derive","gauge"],"dsnames":["rx","value"],"time":1770000000.125,"host":"h",'
    b'"plugin":"interface","plugin_instance":"eth0","type":"if_octets","type_instance":""}]',
    b'[{"labels":{"alertname":"a"},"annotations":{"s":"t"},"startsAt":"2026-01-01T00:00:00Z","endsAt":'
    b'"0001-01-01T00:00:00Z","generatorURL":"http://p"}]',
    b'{"events":[{"ts":1770000000000,"kind":"trap","device":"d","severity":"error","text":"x","labels":{"a":"b"}}]}',
]
PIECES: Final = [
    *(b"\xff" * 9, b"\0", b"\x0a\x02", b"{", b"[", b'"', b",", b"-", b"1e999", b"NaN", b"null", b"\\", b"\\u0000"),
    *(b"9" * 30, b"\xc3", b"\n", b"=", b" ", b"\x80", b"0001-01-01T00:00:00Z", b"9999-12-31T23:59:59+23:59", b"{}"),
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good body in which a few places are overwritten, cut, doubled or filled with what trips parsers."""
    body = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(body)))
        piece = draw(st.sampled_from(PIECES) | st.binary(max_size=4))
        match draw(st.integers(0, 3)):
            case 0:
                body[at : at + len(piece)] = piece
            case 1:
                body[at:at] = piece
            case 2:
                del body[at : at + draw(st.integers(1, 40))]
            case 3:
                body += body[at : at + 64]
    return bytes(body)


@pytest.mark.parametrize("name", DECODERS)
def test_garbage_raises_nothing_but_decode_error(name: str) -> None:
    decode = DECODERS[name]

    @settings(max_examples=150, deadline=None)
    @given(mutated() | st.binary(max_size=80))
    def run(body: bytes) -> None:
        with contextlib.suppress(DecodeError, TooLarge):
            check(decode(body))

    run()


@pytest.mark.parametrize("encoding", DECOMPRESSORS)
def test_garbage_decompresses_to_nothing_but_decode_error(encoding: str) -> None:
    good = {"gzip": gzip.compress(SEEDS[0]), "snappy": snappy(SEEDS[0]), "identity": SEEDS[0]}
    seed = good.get(encoding) or zstandard.compress(SEEDS[0])

    @settings(max_examples=100, deadline=None)
    @given(st.binary(max_size=40), st.integers(0, len(seed)), st.integers(0, 8))
    def run(piece: bytes, at: int, gone: int) -> None:
        with contextlib.suppress(DecodeError, TooLarge):
            assert len(decompress(seed[:at] + piece + seed[at + gone :], encoding, 4_096)) <= 4_096

    run()


def _many(piece: bytes, before: bytes = b"", after: bytes = b"") -> bytes:
    return before + piece * 2_000 + after


HOSTILE: Final = {
    "remote write: empty series": (remote_write.decode, _many(b"\x0a\x00")),
    "remote write: empty metadata": (remote_write.decode, _many(b"\x1a\x00")),
    "remote write: samples in one series": (remote_write.decode, message(1, _many(b"\x12\x00"))),
    "remote write 2: empty series": (remote_write2.decode, _many(b"\x2a\x00")),
    "remote write 2: symbols": (remote_write2.decode, _many(b"\x22\x00") * 4),
    "remote write 2: samples in one series": (remote_write2.decode, message(5, _many(b"\x12\x00"))),
    "remote write 2: one long symbol in many series": (
        remote_write2.decode,
        message(4, b"") + message(4, b"x" * 60_000) + _many(message(5, message(1, b"\x01\x01"))),
    ),
    "line protocol: empty lines": (DECODERS["line protocol"], _many(b"\n")),
    "line protocol: fields": (DECODERS["line protocol"], _many(b"b=1,", b"a ", b"c=1")),
    "OTLP: empty resources": (otlp_protobuf.decode, _many(b"\x0a\x00")),
    "OTLP: empty points": (
        otlp_protobuf.decode,
        message(1, message(2, message(2, message(5, _many(b"\x0a\x00"))))),
    ),
    "OTLP as a tree: empty resources": (otlp.decode_protobuf, _many(b"\x0a\x00")),
    "OTLP JSON: values": (otlp.decode_json, _many(b"0,", b"[", b"0]")),
    "ours: rows": (native.decode, _many(b"{},", b'{"samples":[', b"{}]}")),
    "ours: values": (native.decode, _many(b"0,", b'{"series":[{"metric":"m","ts":[0],"values":[', b"0]}]}")),
    "Telegraf: metrics": (telegraf.decode, _many(b"{},", b'{"metrics":[', b"{}]}")),
    "collectd: items": (collectd.decode, _many(b"{},", b"[", b"{}]")),
    "alerts": (DECODERS["alerts"], _many(b"{},", b"[", b"{}]")),
    "events": (DECODERS["events"], _many(b"{},", b'{"events":[', b"{}]}")),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_small_body_that_stands_for_much_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for constant in ("MOST_ITEMS", "MOST_SAMPLES", "MOST_COMMAS"):
        monkeypatch.setattr(bounds, constant, 1_000)
    monkeypatch.setattr(native, "MOST_ITEMS", 1_000)
    monkeypatch.setattr(otlp, "MOST_MESSAGES", 1_000)
    monkeypatch.setattr(bounds, "MOST_KEY_BYTES", 10_000_000)
    decode, body = HOSTILE[name]
    with pytest.raises(TooLarge):
        decode(body)


def test_a_long_name_is_not_multiplied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_KEY_BYTES", 100_000)
    name = "x" * 5_000
    fields = ",".join(f'"f{number}":1' for number in range(100))
    values = ",".join("1" * 100)
    sources = ",".join(f'"s{number}"' for number in range(100))
    kinds = ",".join(['"gauge"'] * 100)
    for line in (f"{name} {','.join(f'f{n}=1' for n in range(100))}", f'{name} {fields.replace(":", "=")},q="x"'):
        with pytest.raises(TooLarge):
            influx.decode(line.encode(), precision="", now_ms=NOW_MS)
    with pytest.raises(TooLarge):
        telegraf.decode(f'{{"name":"{name}","fields":{{{fields}}},"timestamp":1770000000}}'.encode())
    item = f'"dstypes":[{kinds}],"dsnames":[{sources}],"values":[{values}],"time":1,"host":"h","plugin":"{name}"'
    with pytest.raises(TooLarge):
        collectd.decode(f'[{{{item},"type":"t"}}]'.encode())
    points = [{"asInt": 1, "attributes": [{"key": "a", "value": {"intValue": n}}]} for n in range(100)]
    metrics = [{"name": name, "gauge": {"dataPoints": points}}]
    with pytest.raises(TooLarge):
        otlp.decode_json(json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]}).encode())


def check(decoded: Any) -> None:
    """A batch is what its description says, whatever it was made of."""
    batch = getattr(decoded, "batch", decoded[0] if isinstance(decoded, tuple) else decoded)
    if isinstance(batch, Batch):
        size = len(batch)
        assert (len(batch.series), len(batch.ts_ms)) == (size, size)
        assert batch.positions is None or len(batch.positions) == size
        assert not size or 0 <= batch.series.min() <= batch.series.max() < len(batch.keys)
        assert all(isinstance(key, bytes) for key in batch.keys)
