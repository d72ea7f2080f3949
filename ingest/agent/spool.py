"""Readings on disk until the server has them: first in, first out, never more than a set size."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

SUFFIX: Final = ".json"


class Spool:
    """A folder of entries, the oldest first by name. `dropped` counts what had to go to keep the size.

    One process writes; entries survive it. Half-written entries are never seen.
    """

    def __init__(self, folder: Path, *, most_bytes: int) -> None:
        self.folder = folder
        self.most_bytes = most_bytes
        self.dropped = 0
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for draft in folder.glob("*.new"):
            draft.unlink()
        self._sizes = {path.name: path.stat().st_size for path in sorted(folder.glob("*" + SUFFIX))}
        last = next(reversed(self._sizes), "0" + SUFFIX)
        self._numbers = itertools.count(int(last.removesuffix(SUFFIX)) + 1)

    def __len__(self) -> int:
        return len(self._sizes)

    @property
    def size_bytes(self) -> int:
        """What the entries take together."""
        return sum(self._sizes.values())

    def put(self, content: bytes) -> None:
        """Add an entry, durable when this returns; the oldest go when there is no room. One too large is dropped."""
        if len(content) > self.most_bytes:
            self.dropped += 1
            return
        while self._sizes and self.size_bytes + len(content) > self.most_bytes:
            self.remove([next(iter(self._sizes))])
            self.dropped += 1
        name = f"{next(self._numbers):016d}{SUFFIX}"
        draft = self.folder / (name + ".new")
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.folder / name)
        self._sizes[name] = len(content)

    def oldest(self, most: int) -> list[tuple[str, bytes]]:
        """The names and contents of the oldest entries, at most `most`."""
        return [(name, (self.folder / name).read_bytes()) for name in itertools.islice(list(self._sizes), most)]

    def remove(self, names: Iterable[str]) -> None:
        """Forget entries; those that are gone already do not matter."""
        for name in names:
            if self._sizes.pop(name, None) is not None:
                (self.folder / name).unlink(missing_ok=True)
