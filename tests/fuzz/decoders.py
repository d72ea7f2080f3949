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

with atheris.instrument_imports(include=["ingest", "app.promql", "app.tsdb.codec", "app.domain"]):
    from app.errors import DecodeError, QueryError, TooLarge
    from app.promql.parse import parse
    from app.tsdb.codec import decode_parts
    from ingest.snmp import codec
    from tests.contracts.test_decoders import DECODERS, SEEDS, check

MOST_BYTES: Final = 4_096
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
        "block": decode_parts,
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
        for number, seed in enumerate(SEEDS):
            (Path(corpus) / str(number)).write_bytes(seed)
        atheris.Setup([arguments[0], corpus, f"-max_len={MOST_BYTES}", *arguments[2:]], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
