"""Compressed bodies, and bodies that would not fit."""

from __future__ import annotations

import contextlib
import gzip

import cramjam
import pytest
import zstandard
from flask import Request
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import ClientDisconnected
from werkzeug.test import EnvironBuilder

from app.errors import DecodeError, TooLarge
from ingest.bodies import DECOMPRESSORS, decompress, plain_body

PLAIN = b"0123456789" * 1000
COMPRESS = {
    "identity": lambda body: body,
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "snappy": lambda body: bytes(cramjam.snappy.compress_raw(body)),
}


@pytest.mark.parametrize("encoding", COMPRESS)
def test_what_was_compressed_comes_back(encoding: str) -> None:
    assert decompress(COMPRESS[encoding](PLAIN), encoding, 2 * len(PLAIN)) == PLAIN
    assert decompress(COMPRESS[encoding](PLAIN), encoding, len(PLAIN)) == PLAIN


@pytest.mark.parametrize("encoding", COMPRESS)
def test_a_bomb_is_stopped(encoding: str) -> None:
    with pytest.raises(TooLarge):
        decompress(COMPRESS[encoding](PLAIN), encoding, len(PLAIN) - 1)


def test_frames_behind_each_other_are_one_body() -> None:
    assert decompress(gzip.compress(b"a") + gzip.compress(b"b"), "gzip", 2) == b"ab"
    frame = zstandard.ZstdCompressor().compress
    assert decompress(frame(b"a") + frame(b"b"), "zstd", 2) == b"ab"


def test_a_zstd_frame_without_its_size() -> None:
    compressor = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    assert decompress(compressor.compress(PLAIN) + compressor.flush(), "zstd", len(PLAIN)) == PLAIN


def test_a_declared_length_beyond_the_limit_is_not_even_tried() -> None:
    with pytest.raises(TooLarge):
        decompress(b"\xff\xff\xff\xff\x0f", "snappy", len(PLAIN))


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "snappy"])
@given(body=st.binary(max_size=60), cut=st.integers(0, 40))
def test_garbage_raises_nothing_but_ours(encoding: str, body: bytes, cut: int) -> None:
    assert set(COMPRESS) == set(DECOMPRESSORS)
    for each in (body, COMPRESS[encoding](PLAIN)[:cut] + body):
        with contextlib.suppress(DecodeError, TooLarge):
            decompress(each, encoding, 100_000)


@pytest.mark.parametrize("missing", [1, 5_000])
def test_a_body_that_is_cut_off_is_no_body(missing: int) -> None:
    environ = EnvironBuilder(method="POST", data=PLAIN).get_environ()
    environ["CONTENT_LENGTH"] = str(len(PLAIN) + missing)
    with pytest.raises(ClientDisconnected):
        plain_body(Request(environ), encodings=frozenset({"identity"}), default="identity")


def test_a_body_beyond_the_limit_is_not_read() -> None:
    environ = EnvironBuilder(method="POST", data=PLAIN).get_environ()
    with pytest.raises(TooLarge, match="larger than 9999 bytes"):
        plain_body(Request(environ), encodings=frozenset({"identity"}), default="identity", most_bytes=9_999)
    assert environ["wsgi.input"].read() == PLAIN
