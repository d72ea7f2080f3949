"""A walk over columns of a table: what to ask next, and when to stop. Pure; client.py does the asking."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from ingest.snmp import codec

# A column: row index (as octets) -> (tag, content).
Cells = dict[bytes, tuple[int, bytes]]

MAX_ROWS = 20_000
# Columns asked for together: a row of eight fits any agent's answer at least once.
MAX_WIDTH = 8


class Stop(StrEnum):
    """Why a column ended."""

    OUTSIDE = "outside the column"
    END_OF_MIB = "end of the MIB"
    NOT_INCREASING = "the agent's names do not increase"
    ROW_LIMIT = "row limit"
    NO_SUCH_NAME = "no such name"
    NO_PROGRESS = "the answer brought nothing"


class ColumnWalk:
    """The state of a walk over several columns at once.

    `roots` are the columns' names. names() tells what to ask (GETNEXT or GETBULK), take() learns from the answer.
    A column stops alone: one on which the agent is stuck does not cost the others.
    """

    def __init__(self, roots: Sequence[bytes], *, max_rows: int = MAX_ROWS) -> None:
        self.columns: dict[bytes, Cells] = {root: {} for root in roots}
        self.stops: dict[bytes, Stop] = {}
        self.broken = 0
        self._max_rows = max_rows
        self._last: dict[bytes, tuple[codec.Oid, bytes]] = {root: ((-1,), root) for root in roots}
        self._asked: list[bytes] = []

    def names(self) -> list[bytes]:
        """The names to ask for now; empty when every column has ended."""
        self._asked = [root for root in self.columns if root not in self.stops][:MAX_WIDTH]
        return [self._last[root][1] for root in self._asked]

    def take(self, varbinds: Sequence[codec.Varbind]) -> None:
        """Learn from the answer to the last names(); its varbinds come row by row, one for each column."""
        asked, before = self._asked, dict(self._last)
        for place, varbind in enumerate(varbinds):
            root = asked[place % len(asked)]
            if root not in self.stops:
                self._take_one(root, varbind)
        if not any(root in self.stops or self._last[root] != before[root] for root in asked):
            self.stops.update(dict.fromkeys(asked, Stop.NO_PROGRESS))

    def end(self, place: int) -> None:
        """The agent has nothing behind the name at `place` of the last names() (v1 says so with an error)."""
        self.stops[self._asked[place]] = Stop.NO_SUCH_NAME

    def _take_one(self, root: bytes, varbind: codec.Varbind) -> None:
        name, tag, content = varbind
        if tag == codec.END_OF_MIB:
            self.stops[root] = Stop.END_OF_MIB
            return
        if not name:
            self.broken += 1
            return
        if not name.startswith(root):
            is_back = codec.decode_arcs(name) < codec.decode_arcs(self._last[root][1])
            self.stops[root] = Stop.NOT_INCREASING if is_back else Stop.OUTSIDE
            return
        index = name[len(root) :]
        arcs = codec.decode_arcs(index)
        # Compared as numbers: the order of the octets is another one once an arc needs two of them.
        if arcs <= self._last[root][0]:
            self.stops[root] = Stop.NOT_INCREASING
            return
        self._last[root] = (arcs, name)
        if tag == codec.BROKEN:
            self.broken += 1
            return
        self.columns[root][index] = (tag, content)
        if len(self.columns[root]) >= self._max_rows:
            self.stops[root] = Stop.ROW_LIMIT
