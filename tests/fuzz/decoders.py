"""Coverage-guided fuzzing of everything that reads what others send, with atheris (no dependency of ours: pip has it).

`python -m tests.fuzz.decoders NAME [options of libFuzzer]`, for example `… "OTLP JSON" -max_total_time=120`; without a
name it lists them. It begins with the seeds of tests/contracts/test_decoders.py, which then keep what it finds.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import atheris
import numpy as np
import zstandard

with atheris.instrument_imports(include=["ingest", "app.promql", "app.tsdb.codec", "app.domain"]):
    from app.errors import DecodeError, QueryError, TooLarge
    from app.promql.parse import parse
    from app.tsdb import codec as blocks
    from ingest.snmp import codec
    from tests.contracts.test_decoders import DECODERS, SEEDS, check

MOST_BYTES: Final = 4_096
# What is claimed beyond this is only slow.
blocks.MOST_CELLS = 1 << 14
_TIMES: Final = np.array([1, 2, 4], dtype=np.int64)
BLOCK: Final = zstandard.decompress(blocks.encode(_TIMES, np.array([[1.0, 0.1], [2.0, np.nan], [4.0, 1e300]])))
# What may be raised; anything else is a fault.
EXPECTED: Final = (DecodeError, TooLarge, QueryError)


def targets() -> dict[str, Callable[[bytes], object]]:
    """What is fuzzed, by name."""
    found: dict[str, Callable[[bytes], object]] = {
        name: lambda body, decode=decode: check(decode(body)) for name, decode in DECODERS.items()
    }
    return found | {
        "SNMP response": codec.decode_response,
        "SNMP request": codec.decode_request,
        "block": lambda body: blocks.decode_parts(
            zstandard.compress(body)
        ),  # what compresses it is fuzzed by its makers
        "PromQL": lambda body: parse(body.decode("utf-8", "replace")),
    }


def main(arguments: list[str]) -> None:
    """Fuzz one target until libFuzzer's options say stop, or something is found."""
    known = targets()
    if len(arguments) < 2 or arguments[1] not in known:
        sys.exit("one of: " + ", ".join(known))
    target = known[arguments[1]]

    def one(body: bytes) -> None:
        with contextlib.suppress(*EXPECTED):
            target(body)

    with tempfile.TemporaryDirectory(prefix="watchfloor-fuzz-") as corpus:
        for number, seed in enumerate([*SEEDS, BLOCK]):
            (Path(corpus) / str(number)).write_bytes(seed)
        atheris.Setup([arguments[0], corpus, f"-max_len={MOST_BYTES}", *arguments[2:]], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
