"""Artefacts are data: what is not the registered content, and whatever would run code, is refused."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pytest

from app.domain.mlmodels.artefact import decode, encode, hash_of
from app.errors import DecodeError

ARRAYS = {"roots": np.arange(3), "value": np.array([0.5, -1.0])}
RAN: list[str] = []


class Trap:
    """Whoever unpickles it runs code."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (RAN.append, ("ran",))


def _objects() -> bytes:
    out = io.BytesIO()
    np.savez(out, allow_pickle=True, value=np.array([Trap()], dtype=object))
    return out.getvalue()


def _single() -> bytes:
    out = io.BytesIO()
    np.save(out, np.arange(3))
    return out.getvalue()


def test_the_same_arrays_make_the_same_bytes_and_come_back() -> None:
    content = encode(ARRAYS)
    assert encode(dict(reversed(ARRAYS.items()))) == content
    found = decode(content, hash_of(content))
    assert {name: array.tolist() for name, array in found.items()} == {"roots": [0, 1, 2], "value": [0.5, -1.0]}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a pickle", pickle.dumps(Trap())),
        ("an array of objects", _objects()),
        ("no archive", b"hello"),
        ("nothing", b""),
        ("an archive cut short", encode(ARRAYS)[:-30]),
        ("one array without its archive", _single()),
    ],
)
def test_what_is_no_file_of_plain_arrays_is_refused_before_it_runs(name: str, content: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(content, hash_of(content))
    assert not RAN, name


def test_other_content_than_was_registered_is_refused() -> None:
    with pytest.raises(DecodeError, match="registered"):
        decode(encode({"value": np.zeros(3)}), hash_of(encode(ARRAYS)))


def test_objects_are_not_written_either(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="numbers alone"):
        encode({"value": np.array([object()])})


def test_a_small_file_that_unfolds_to_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.domain.mlmodels.artefact.MOST_UNFOLDED", 10_000)
    content = encode({"value": np.zeros(100_000)})
    assert len(content) < 10_000
    with pytest.raises(DecodeError, match="unfold"):
        decode(content, hash_of(content))
