"""Artefacts: arrays as bytes, named by the hash of their content. Data and never code: nothing here unpickles."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.errors import DecodeError

Arrays = Mapping[str, NDArray[Any]]
# A model of some hundred trees has half a megabyte; a frozen backtest some.
MOST_BYTES: Final = 64 * 1024 * 1024
# What a small file may unfold to.
MOST_UNFOLDED: Final = 256 * 1024 * 1024
_PROTOCOL: Final = "artefact"


def encode(arrays: Arrays) -> bytes:
    """Arrays as an .npz file; the same arrays make the same bytes. Raises ValueError for arrays of objects."""
    if any(array.dtype.hasobject for array in arrays.values()):
        raise ValueError("an artefact holds numbers alone")
    out = io.BytesIO()
    in_order: dict[str, Any] = {name: arrays[name] for name in sorted(arrays)}
    np.savez_compressed(out, **in_order)
    return out.getvalue()


def hash_of(content: bytes) -> str:
    """The name of an artefact."""
    return hashlib.sha256(content).hexdigest()


def decode(content: bytes, sha256: str) -> dict[str, NDArray[Any]]:
    """The arrays of an artefact.

    Raises DecodeError when it is not the one of that hash, is no .npz of plain arrays, or would unfold to too much. A
    pickle, alone or as an array of objects, is refused before anything of it runs.
    """
    if len(content) > MOST_BYTES:
        raise DecodeError(_PROTOCOL, sha256[:12], "is too large")
    if hash_of(content) != sha256:
        raise DecodeError(_PROTOCOL, sha256[:12], "its content is not the one that was registered")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MOST_UNFOLDED:
                raise DecodeError(_PROTOCOL, sha256[:12], "would unfold to too much")
        with np.load(io.BytesIO(content), allow_pickle=False) as loaded:
            return {name: loaded[name] for name in loaded.files}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise DecodeError(_PROTOCOL, sha256[:12], f"is no file of plain arrays ({error})") from error
