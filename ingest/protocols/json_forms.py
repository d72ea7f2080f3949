"""Which JSON a body at /api/v1/ingest is: our own, Telegraf's batch, or what collectd's write_http sends."""

from __future__ import annotations

from typing import Final

from app.domain.samples import Batch
from ingest.protocols import collectd, native, telegraf

OURS: Final = native.PROTOCOL
_BLANKS: Final = b" \t\r\n"


def decode(body: bytes, *, precision: str = "") -> tuple[Batch, str]:
    """The samples of a body, and the protocol it turned out to be; `precision` is the unit of Telegraf's times.

    Raises DecodeError when the body is none of them, TooLarge when it has too many items.
    """
    if body[:64].lstrip(_BLANKS)[:1] == b"[":
        return collectd.decode(body), collectd.PROTOCOL
    try:
        return native.decode(body), native.PROTOCOL
    except native.OtherForm:
        return telegraf.decode(body, precision=precision), telegraf.PROTOCOL
