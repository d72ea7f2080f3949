"""Columns of samples to few bytes and back, lossless to the bit.

A column is scaled to whole numbers where it is exact at up to four decimals, and is else taken as its 64 bits. What
remains of each value (from the value before, or from the first) goes as bit planes, as many as the column needs:
the planes of noise cost what noise must, the others are compressed to next to nothing. There is no object per sample.
"""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import zstandard
from numpy.typing import NDArray

from app.domain.samples import ABSENT_BITS, Float64s, Int64s, absent_array, is_absent
from app.errors import DecodeError

CODEC: Final = 1
MOST_BYTES: Final = 1 << 30
# Of one part; 240 series with a sample each second have 5 million in a block.
MOST_CELLS: Final = 1 << 26

_DECIMALS: Final = (0, 1, 2, 3, 4)
_MOST_EXACT: Final = 2.0**53
_LEVEL: Final = 3
# How a column becomes what is packed: decimals in the low bits, and one of these.
_FROM_FIRST, _DELTA, _BITS = 0, 16, 32
# A part that would be emptier than this is taken apart into columns that have their times in common.
_LEAST_FILLED: Final = 0.5
# Bits to change places with those so far above them, in three rounds; for so many cells at a time, which caches hold.
_SWAPS: Final = tuple(
    (np.uint64(distance), np.uint64(mask))
    for distance, mask in ((7, 0x00AA00AA00AA00AA), (14, 0x0000CCCC0000CCCC), (28, 0x00000000F0F0F0F0))
)
_CELLS_AT_ONCE: Final = 1 << 16
# They are written in two bytes.
_MOST_SLOTS: Final = 1 << 16
_COUNT = struct.Struct("<I")
_PART = struct.Struct("<IHI")

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Part:
    """Samples of some slots at common times: `slots` (s,) ascending, `ts_ms` (t,) ascending, `values` (t, s)."""

    slots: NDArray[np.intp]
    ts_ms: Int64s
    values: Float64s


def encode(ts_ms: Int64s, matrix: Float64s) -> bytes:
    """Pack `matrix` (t, s), taken at `ts_ms` (t,), ascending; ABSENT where there is no sample."""
    return encode_parts(parts_of(Part(np.arange(matrix.shape[1]), ts_ms, matrix)))


def decode(blob: bytes) -> tuple[Int64s, Float64s]:
    """What encode() packed: times without any sample are left out, and slots behind the last that has one."""
    parts = decode_parts(blob)
    if not parts:
        return np.empty(0, dtype=np.int64), absent_array((0, 0))
    ts_ms = np.unique(np.concatenate([part.ts_ms for part in parts]))
    matrix = absent_array((len(ts_ms), 1 + max(int(part.slots[-1]) for part in parts)))
    for part in parts:
        matrix[np.ix_(np.searchsorted(ts_ms, part.ts_ms), part.slots)] = part.values
    return ts_ms, matrix


def checksum(blob: bytes) -> int:
    """CRC-32 of a blob."""
    return zlib.crc32(blob)


def count(parts: Sequence[Part]) -> int:
    """How many samples there are."""
    return sum(part.values.size - int(is_absent(part.values).sum()) for part in parts)


def parts_of(part: Part) -> list[Part]:
    """The same samples without empty rows and columns, in several parts if one would be mostly empty."""
    # A NaN is looked for first: most matrices have none, and then nothing is absent.
    if part.values.size and not np.isnan(part.values).any():
        return [part]
    there = ~is_absent(part.values)
    columns, rows = there.any(axis=0), there.any(axis=1)
    if not columns.any():
        return []
    if not (columns.all() and rows.all()):
        part = Part(part.slots[columns], part.ts_ms[rows], part.values[np.ix_(rows, columns)])
        there = there[np.ix_(rows, columns)]
    if there.mean() >= _LEAST_FILLED:
        return [part]
    alike: dict[bytes, list[int]] = {}
    for column, pattern in enumerate(np.packbits(there.T, axis=1)):
        alike.setdefault(pattern.tobytes(), []).append(column)
    return [
        Part(part.slots[found], part.ts_ms[there[:, found[0]]], part.values[:, found][there[:, found[0]]])
        for found in alike.values()
    ]


def encode_parts(parts: Sequence[Part]) -> bytes:
    """Pack parts that have no sample in common; each is dense, or nearly so."""
    pieces = [_COUNT.pack(len(parts))]
    for part in parts:
        pieces += _encode_part(part)
    return zstandard.ZstdCompressor(level=_LEVEL).compress(b"".join(pieces))


def decode_parts(blob: bytes, slots: NDArray[np.intp] | None = None) -> list[Part]:
    """The parts of a blob, of all slots or of the given; raises DecodeError."""
    try:
        size = zstandard.frame_content_size(blob)
        if not 0 <= size <= MOST_BYTES:
            raise DecodeError("block", "", f"{size} bytes are not possible")
        cursor = _Cursor(_of_thread.decompressor.decompress(blob))
        number = _COUNT.unpack(cursor.take_bytes(_COUNT.size))[0]
        wanted = None if slots is None else _among_all(slots)
        parts = [_decode_part(cursor, wanted) for _ in range(number)]
    except (zstandard.ZstdError, struct.error, ValueError, IndexError) as error:
        raise DecodeError("block", "", f"it cannot be read: {error}") from error
    return [part for part in parts if len(part.slots)]


class _OfThread(threading.local):
    """What each thread has for itself: making it takes half as long as decompressing a block with it."""

    def __init__(self) -> None:
        self.decompressor = zstandard.ZstdDecompressor()


_of_thread = _OfThread()


class _Cursor:
    """Where reading has come to."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.at = 0

    def take_bytes(self, size: int) -> bytes:
        self.at += size
        return self.raw[self.at - size : self.at]

    def take(self, dtype: str, size: int) -> NDArray[Any]:
        found = np.frombuffer(self.raw, dtype=dtype, count=size, offset=self.at) if size else np.empty(0, dtype)
        self.at += found.nbytes
        return found


def _encode_part(part: Part) -> list[bytes]:
    values, holes, odd_at, odd_bits = _filled(part.values)
    kinds, whole = _scaled(values)
    head = _PART.pack(len(part.ts_ms), len(part.slots), len(odd_at))
    with_holes = np.flatnonzero(holes.any(axis=0)) if holes is not None else np.empty(0, dtype=np.intp)
    pieces = [head, part.slots.astype("<u2").tobytes()]
    pieces += _encode_columns(np.zeros(1, dtype=np.uint8), part.ts_ms[:, None])
    pieces += _encode_columns(kinds, whole)
    pieces += [_COUNT.pack(len(with_holes)), with_holes.astype("<u2").tobytes()]
    if holes is not None and len(with_holes):
        pieces.append(np.packbits(holes.T[with_holes], axis=1).tobytes())
    return [*pieces, odd_at.astype("<u4").tobytes(), odd_bits.astype("<u8").tobytes()]


def _decode_part(cursor: _Cursor, wanted: NDArray[np.bool_] | None) -> Part:
    rows, width, odd = _PART.unpack(cursor.take_bytes(_PART.size))
    # Columns that say the same all the time take no bytes, so a few bytes may claim anything.
    if rows * max(width, 1) > MOST_CELLS:
        raise DecodeError("block", "", f"{rows} times {width} cells are not possible")
    slots = cursor.take("<u2", width).astype(np.intp)
    chosen = np.arange(width) if wanted is None else np.flatnonzero(wanted[slots])
    _, times = _decode_columns(cursor, rows, 1, np.zeros(1, dtype=np.intp))
    kinds, whole = _decode_columns(cursor, rows, width, chosen)
    values = _unscaled(kinds, whole)
    with_holes = cursor.take("<u2", _COUNT.unpack(cursor.take_bytes(_COUNT.size))[0]).astype(np.intp)
    bytes_each = (rows + 7) // 8
    packed = cursor.take("u1", len(with_holes) * bytes_each).reshape(len(with_holes), bytes_each)
    odd_at, odd_bits = cursor.take("<u4", odd), cursor.take("<u8", odd)
    bits = values.view(np.uint64)
    place = np.full(width, -1)
    place[chosen] = np.arange(len(chosen))
    if len(with_holes):
        mine = place[with_holes] >= 0
        holes = np.unpackbits(packed[mine], axis=1, count=rows).astype(bool).T
        columns = place[with_holes[mine]]
        bits[:, columns] = np.where(holes, np.uint64(ABSENT_BITS), bits[:, columns])
    if odd:
        mine = place[odd_at % width] >= 0
        bits[odd_at[mine] // width, place[odd_at[mine] % width]] = odd_bits[mine]
    return Part(slots[chosen], times[:, 0], values)


def _among_all(slots: NDArray[np.intp]) -> NDArray[np.bool_]:
    """For each number that a slot of a part may have, whether it is one of these."""
    wanted = np.zeros(_MOST_SLOTS, dtype=np.bool_)
    wanted[slots] = True
    return wanted


def _filled(values: Float64s) -> tuple[Float64s, NDArray[np.bool_] | None, Int64s, NDArray[np.uint64]]:
    """Finite values (what is not repeats the one before), where nothing is, and flat places and bits of the rest."""
    nothing = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.uint64)
    finite = np.isfinite(values)
    if finite.all():
        return values, None, *nothing
    holes = is_absent(values)
    odd_at = np.flatnonzero(~finite & ~holes)
    odd_bits = np.ascontiguousarray(values).view(np.uint64).reshape(-1)[odd_at]
    rows = np.maximum.accumulate(np.where(finite, np.arange(len(values))[:, None], -1), axis=0)
    # Before the first finite value of a column stands that value; a column that has none is zero.
    rows = np.where(rows < 0, np.argmax(finite, axis=0), rows)
    filled = np.take_along_axis(values, rows, axis=0)
    return np.where(np.isfinite(filled), filled, 0.0), holes, odd_at, odd_bits


def _scaled(values: Float64s) -> tuple[Bytes, Int64s]:
    """The kind of each column (s,), and whole numbers (t, s): the scaled values, or the bits."""
    values = np.ascontiguousarray(values)
    kinds = np.full(values.shape[1], _BITS, dtype=np.uint8)
    whole = values.view(np.int64).copy()
    left = np.arange(values.shape[1])
    with np.errstate(all="ignore"):
        for decimals in _DECIMALS:
            some = values if len(left) == values.shape[1] else values[:, left]
            # Adding zero makes the negative zero, which no whole number is, the other one.
            scaled = np.rint(some * 10.0**decimals if decimals else some) + 0.0
            back = scaled / 10.0**decimals if decimals else scaled
            # As bits, so that the two zeros differ.
            exact = (back.view(np.int64) == some.view(np.int64)) & (np.abs(scaled) < _MOST_EXACT)
            fits = exact.all(axis=0)
            if fits.any():
                # What is too large for int64 is not exact, and not taken.
                whole[:, left[fits]] = scaled[:, fits].astype(np.int64)
                kinds[left[fits]] = decimals
                left = left[~fits]
            if not len(left):
                break
    return kinds, whole


def _unscaled(kinds: Bytes, whole: Int64s) -> Float64s:
    values = whole.view(np.float64)
    is_number = kinds & _BITS == 0
    if is_number.all():
        values = whole.astype(np.float64)
    elif is_number.any():
        values = np.where(is_number, whole.astype(np.float64), values)
    scales = np.where(is_number, kinds & 15, 0)
    for decimals in _DECIMALS[1:] if scales.any() else ():
        columns = np.flatnonzero(scales == decimals)
        if len(columns):
            values[:, columns] /= 10.0**decimals
    return values


def _encode_columns(kinds: Bytes, whole: Int64s) -> list[bytes]:
    """Whole numbers (t, s) as kinds, firsts, bases and widths of the columns, and their bit planes."""
    columns = np.ascontiguousarray(whole.T)
    first = columns[:, 0].copy()
    steps = np.diff(columns, axis=1)
    rest = columns[:, 1:] - first[:, None]
    bases = np.zeros(len(columns), dtype=np.int64)
    kinds = kinds.copy()
    if rest.shape[1]:
        is_bits = kinds & _BITS != 0
        from_first, from_before = _spread(rest), _spread(steps)
        is_delta = (from_before < from_first) & ~is_bits
        kinds[is_delta] |= _DELTA
        rest[is_delta] = steps[is_delta]
        bases = np.where(is_bits, 0, rest.min(axis=1))
        rest -= bases[:, None]
        if is_bits.any():
            rest[is_bits] = columns[is_bits, 1:] ^ columns[is_bits, :-1]
    left: NDArray[np.uint64] = rest.view(np.uint64)
    # The signs of a column's bits, or'ed together, say how many planes it needs.
    tops = np.bitwise_or.reduce(left, axis=1)
    widths = _bit_lengths(tops)
    pieces = [kinds.tobytes(), first.astype("<i8").tobytes(), bases.astype("<i8").tobytes(), widths.tobytes()]
    order = np.argsort(widths, kind="stable")
    return [*pieces, *_planes(left[order], widths[order])]


def _decode_columns(cursor: _Cursor, rows: int, width: int, chosen: NDArray[np.intp]) -> tuple[Bytes, Int64s]:
    """The chosen columns of what _encode_columns() packed: kinds and whole numbers (t, chosen)."""
    kinds = cursor.take("u1", width)
    first, bases = cursor.take("<i8", width), cursor.take("<i8", width)
    widths = cursor.take("u1", width)
    bytes_each = (rows - 1 + 7) // 8
    begins = _begins(np.sort(widths))
    packed = cursor.take("u1", int((width - begins).sum()) * bytes_each)
    where = np.empty(width, dtype=np.intp)
    where[np.argsort(widths, kind="stable")] = np.arange(width)
    where = where[chosen]
    columns = np.zeros((len(chosen), rows), dtype=np.int64)
    if len(begins) and len(chosen) and rows > 1:
        columns[:, 1:] = _from_planes(packed, begins, where, width=width, rows=rows - 1)
    kinds, first, bases = kinds[chosen], first[chosen], bases[chosen]
    is_bits, is_delta = kinds & _BITS != 0, kinds & _DELTA != 0
    if rows > 1:
        columns[:, 1:] += bases[:, None]
    plain = ~(is_bits | is_delta)
    columns[:, 0] = np.where(plain, 0, first)
    # Mostly all columns are of one kind, and then none need be picked out and put back.
    if plain.all():
        columns += first[:, None]
    elif is_delta.all():
        np.cumsum(columns, axis=1, out=columns)
    else:
        columns[plain] += first[plain, None]
        columns[is_delta] = np.cumsum(columns[is_delta], axis=1)
    if is_bits.any():
        columns[is_bits] = np.bitwise_xor.accumulate(columns[is_bits], axis=1)
    return kinds, np.ascontiguousarray(columns.T)


def _spread(columns: Int64s) -> NDArray[np.uint64]:
    """How far the values of each column lie apart."""
    spread: NDArray[np.uint64] = (columns.max(axis=1) - columns.min(axis=1)).view(np.uint64)
    return spread


def _bit_lengths(tops: NDArray[np.uint64]) -> Bytes:
    """int.bit_length() of each."""
    return np.array([int(top).bit_length() for top in tops], dtype=np.uint8)


def _begins(widths: Bytes) -> NDArray[np.intp]:
    """For each bit plane the first of the columns, ascending by width, that have it."""
    most = int(widths[-1]) if len(widths) else 0
    return np.searchsorted(widths, np.arange(most), side="right")


def _planes(columns: NDArray[np.uint64], widths: Bytes) -> Iterator[bytes]:
    """The bits of columns (c, t), ascending by width, plane by plane; each row of t is filled up to bytes."""
    low = columns.astype("<u8", copy=False).view(np.uint8).reshape(*columns.shape, 8)
    # (c, t, bytes) -> (bytes, c, t): then each plane is one pass over bytes that lie side by side.
    by_byte = np.ascontiguousarray(low[..., : -(-int(widths[-1]) // 8)].transpose(2, 0, 1))
    for plane, begin in enumerate(_begins(widths).tolist()):
        yield np.packbits(by_byte[plane // 8, begin:] & (1 << plane % 8), axis=1).tobytes()


def _from_planes(packed: Bytes, begins: NDArray[np.intp], where: NDArray[np.intp], *, width: int, rows: int) -> Int64s:
    """(c, rows) int64 of those columns whose places in order of width are `where` (c,)."""
    bytes_each = (rows + 7) // 8
    lines = packed.reshape(-1, bytes_each)
    sizes = width - begins
    firsts = np.cumsum(sizes) - sizes - begins
    octets = -(-len(begins) // 8)
    found = np.zeros((len(where), 8 * bytes_each, 8), dtype=np.uint8)
    at_once = max(1, _CELLS_AT_ONCE // (8 * bytes_each))
    for first in range(0, len(where), at_once):
        some = where[first : first + at_once]
        there = some[None, :] >= begins[:, None]
        # A column has nothing in the planes above its width.
        planes = np.zeros((8 * octets, len(some), bytes_each), dtype=np.uint8)
        planes[: len(begins)] = lines[np.where(there, firsts[:, None] + some[None, :], 0)]
        planes[: len(begins)][~there] = 0
        # Eight planes at eight times: 8 x 8 bits, which are the numbers' once rows and columns have changed sides.
        squares = np.ascontiguousarray(planes.reshape(octets, 8, len(some), bytes_each).transpose(0, 2, 3, 1))
        turned = _turned(squares.view("<u8")).view(np.uint8).reshape(octets, len(some), 8 * bytes_each)
        found[first : first + at_once, :, :octets] = turned.transpose(1, 2, 0)
    whole: Int64s = found.view("<i8")[:, :rows, 0]
    return whole


def _turned(squares: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Each 8 x 8 bits with rows and columns changed, and the last row first; in place where it can be.

    Source: Warren, Hacker's Delight, section 7-3 (transposing a bit matrix).
    """
    for distance, mask in _SWAPS:
        moved = squares >> distance
        moved ^= squares
        moved &= mask
        squares ^= moved
        moved <<= distance
        squares ^= moved
    return squares.byteswap()
