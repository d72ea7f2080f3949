"""An SNMP agent on loopback UDP that answers from a recording, well or with a fault.

It serves `.snmprec` files (one `OID|tag|value` a line) and what tests add by hand. Agents share one thread and, where
they are many, are told apart by port.
"""

from __future__ import annotations

import bisect
import re
import select
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from app.errors import DecodeError
from ingest.snmp import codec

# The recordings are data under the GPL beside the project, never a part of it.
RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "data" / "snmp"

SYS_UP_TIME = (1, 3, 6, 1, 2, 1, 1, 3, 0)
IF_ENTRY = (1, 3, 6, 1, 2, 1, 2, 2, 1)
IF_X_ENTRY = (1, 3, 6, 1, 2, 1, 31, 1, 1, 1)


class Mib:
    """Values by object identifier, kept in order; each value is a whole BER value."""

    def __init__(self, rows: Iterable[tuple[codec.Oid, bytes]] = ()) -> None:
        self.values: dict[codec.Oid, bytes] = dict(rows)
        self._index()

    def _index(self) -> None:
        self.oids = sorted(self.values)
        self.names = [codec.encode_oid(oid) for oid in self.oids]
        self.places = {name: place for place, name in enumerate(self.names)}
        self.varbinds = [
            codec.encode_varbind(name, self.values[oid]) for oid, name in zip(self.oids, self.names, strict=True)
        ]

    def set(self, dotted: str, tag: int, value: int | str | bytes | codec.Oid | None) -> None:
        """Give one object a value."""
        self.set_wire(dotted, codec.encode_value(tag, value))

    def set_wire(self, dotted: str, ber: bytes) -> None:
        """Give one object a value in the very octets to be sent."""
        self.values[codec.parse_oid(dotted)] = ber
        self._index()

    def update(self, rows: dict[codec.Oid, bytes | None]) -> None:
        """Change many objects at once; None removes one."""
        for oid, ber in rows.items():
            if ber is None:
                self.values.pop(oid, None)
            else:
                self.values[oid] = ber
        self._index()

    def after(self, name: bytes) -> int:
        """The place of the first object behind `name`."""
        place = self.places.get(name)
        return bisect.bisect_right(self.oids, codec.decode_oid(name)) if place is None else place + 1

    def renumbered(self) -> Mib:
        """The same device with its interfaces numbered anew: ifIndex + 1000, in reverse order."""
        old = sorted(oid[-1] for oid in self.oids if oid[:10] == (*IF_ENTRY, 2))
        new = dict(zip(old, [1000 + n for n in reversed(range(1, len(old) + 1))], strict=True))
        rows = {}
        for oid, ber in self.values.items():
            prefix = next((p for p in (IF_ENTRY, IF_X_ENTRY) if oid[: len(p)] == p), None)
            if prefix is None or oid[-1] not in new:
                rows[oid] = ber
            elif oid[: len(prefix) + 1] == (*IF_ENTRY, 1):
                rows[(*oid[:-1], new[oid[-1]])] = codec.encode_integer(new[oid[-1]])
            else:
                rows[(*oid[:-1], new[oid[-1]])] = ber
        return Mib(rows.items())


def load_recording(path: Path | str) -> Mib:
    """A recording by path, or by name from the folder of recordings; rows that no agent could send are skipped."""
    path = path if isinstance(path, Path) else RECORDINGS / f"{path}.snmprec"
    rows: dict[codec.Oid, bytes] = {}
    for line in path.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        parts = line.split("|", 2)
        if len(parts) != 3:
            continue
        try:
            oid = tuple(int(arc) for arc in parts[0].strip(".").split("."))
            rows[oid] = _recorded_value(parts[1], parts[2])
        except (ValueError, OverflowError):
            continue
    return Mib(rows.items())


def _recorded_value(tag_text: str, raw: str) -> bytes:
    match = re.fullmatch(r"(\d+)([xe]*)", tag_text)
    if match is None:
        raise ValueError(tag_text)
    tag, form = int(match[1]), match[2]
    if "x" in form:
        data = bytes.fromhex(raw if len(raw) % 2 == 0 else "0" + raw)
    elif "e" in form:
        data = raw.encode().decode("unicode_escape").encode("latin-1", "replace")
    else:
        data = raw.encode("utf-8", "surrogateescape")
    if tag in (codec.OCTETS, codec.OPAQUE):
        return codec.encode_tlv(tag, data)
    if tag == codec.IP_ADDRESS:
        return codec.encode_tlv(tag, data if len(data) == 4 else bytes(int(part) for part in raw.split(".")))
    if tag == codec.NULL:
        return codec.encode_tlv(tag, b"")
    if tag == codec.OBJECT_ID:
        return codec.encode_value(tag, codec.parse_oid(raw.lstrip(".")))
    number = int(raw)
    if tag == codec.INTEGER:
        return codec.encode_integer(max(-(2**31), min(number, 2**31 - 1)))
    return codec.encode_unsigned(number % (2**64 if tag == codec.COUNTER64 else 2**32), tag)


@dataclass
class FakeAgent:
    """One agent. `fault` is one of FAULTS or ""; `asked` counts what it was asked, `answered` what it answered."""

    mib: Mib
    community: bytes = b"public"
    fault: str = ""
    most_octets: int = 1472
    port: int = 0
    asked: int = 0
    answered: int = 0
    largest: int = 0
    lose_every: int = 0
    kinds: list[int] = field(default_factory=list)

    def answer(self, data: bytes) -> bytes | None:
        """The answer to one datagram, or silence."""
        try:
            request = codec.decode_request(data)
        except DecodeError:
            return None
        self.asked += 1
        self.kinds.append(request.kind)
        if request.community != self.community or self.fault == "dead":
            return None
        if self.fault == "v1only" and request.version != codec.V1:
            return None
        if self.lose_every and self.asked % self.lose_every == 0:
            return None
        is_large = request.kind == codec.GETBULK and request.repetitions * len(request.names) > 20
        if self.fault == "silent-when-large" and is_large:
            return None
        self.answered += 1
        return self._respond(request)

    def _respond(self, request: codec.Request) -> bytes:
        null = b"\x05\x00"
        if request.kind == codec.GET:
            varbinds = [self._exact(request, name) for name in request.names]
        elif request.kind == codec.GETNEXT:
            varbinds = [self._next(name, request.version) for name in request.names]
        else:
            varbinds = self._bulk(request)
        self.largest = max(self.largest, len(varbinds))
        if None in varbinds:
            listed = [codec.encode_varbind(name, null) for name in request.names]
            return codec.encode_response(
                request, listed, error_status=codec.NO_SUCH_NAME, error_index=varbinds.index(None) + 1
            )
        if self.fault == "generr":
            listed = [codec.encode_varbind(name, null) for name in request.names]
            return codec.encode_response(request, listed, error_status=codec.GEN_ERR, error_index=1)
        octets = sum(map(len, varbinds))
        if (self.fault == "toobig" and len(varbinds) > 20) or octets + 60 > self.most_octets:
            return codec.encode_response(request, [], error_status=codec.TOO_BIG)
        return codec.encode_response(request, varbinds)

    def _exact(self, request: codec.Request, name: bytes) -> bytes | None:
        place = self.mib.places.get(name)
        if place is not None:
            return self.mib.varbinds[place]
        return None if request.version == codec.V1 else codec.encode_varbind(name, b"\x81\x00")

    def _next(self, name: bytes, version: int) -> bytes | None:
        place = self._stuck(self.mib.after(name))
        if place < len(self.mib.oids):
            return self.mib.varbinds[place]
        return None if version == codec.V1 else codec.encode_varbind(name, b"\x82\x00")

    def _bulk(self, request: codec.Request) -> list[bytes]:
        """GETBULK: row by row until the repetitions, the end, or the datagram are used up."""
        repetitions = min(request.repetitions, 10) if self.fault == "maxrep" else request.repetitions
        places = [self._stuck(self.mib.after(name)) for name in request.names]
        found: list[bytes] = []
        octets = 60
        for _ in range(repetitions):
            if all(place >= len(self.mib.oids) for place in places):
                found += [codec.encode_varbind(name, b"\x82\x00") for name in request.names] if not found else []
                break
            for column, place in enumerate(places):
                is_end = place >= len(self.mib.oids)
                varbind = (
                    codec.encode_varbind(request.names[column], b"\x82\x00") if is_end else self.mib.varbinds[place]
                )
                if octets + len(varbind) > self.most_octets and found:
                    return found
                octets += len(varbind)
                found.append(varbind)
                places[column] = place + 1
        return found

    def _stuck(self, place: int) -> int:
        """With the fault "loop" the names behind one row of ifTable go back by thirty."""
        if self.fault != "loop":
            return place
        edge = bisect.bisect_left(self.mib.oids, (*IF_ENTRY, 10, 5))
        return edge - 30 if edge < place < edge + 400 else place


FAULTS = (
    "dead", "v1only", "maxrep", "toobig", "silent-when-large", "loop", "otherport", "dup", "wrongid", "garbage",
    "generr",
)  # fmt: skip


class AgentServer:
    """Serves agents, each on a loopback port of its own, in one thread: `with AgentServer([...])`."""

    def __init__(self, agents: Iterable[FakeAgent], *, first_port: int = 0) -> None:
        self.agents = list(agents)
        self._sockets: dict[int, tuple[socket.socket, FakeAgent]] = {}
        for place, agent in enumerate(self.agents):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind(("127.0.0.1", first_port + place if first_port else 0))
            sock.setblocking(False)
            agent.port = sock.getsockname()[1]
            self._sockets[sock.fileno()] = (sock, agent)
        self._other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self.serve, daemon=True)

    def __enter__(self) -> AgentServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._wake.send(b"x")
        self._thread.join()
        for sock, _ in self._sockets.values():
            sock.close()
        for sock in (self._other, self._wake, self._woken):
            sock.close()

    def serve(self) -> None:
        """Answer until the block is left."""
        poll = select.epoll()
        for number in (*self._sockets, self._woken.fileno()):
            poll.register(number, select.EPOLLIN)
        while True:
            for number, _ in poll.poll():
                if number == self._woken.fileno():
                    return
                self._answer_all(*self._sockets[number])

    def _answer_all(self, sock: socket.socket, agent: FakeAgent) -> None:
        while True:
            try:
                data, source = sock.recvfrom(65_535)
            except BlockingIOError:
                return
            reply = agent.answer(data)
            if reply is not None:
                SENDERS.get(agent.fault, _send)(sock, self._other, reply, source)


def _send(sock: socket.socket, _other: socket.socket, reply: bytes, source: tuple[str, int]) -> None:
    sock.sendto(reply, source)


def _send_from_elsewhere(_sock: socket.socket, other: socket.socket, reply: bytes, source: tuple[str, int]) -> None:
    other.sendto(reply, source)


def _send_twice(sock: socket.socket, _other: socket.socket, reply: bytes, source: tuple[str, int]) -> None:
    sock.sendto(reply, source)
    sock.sendto(reply, source)


def _send_wrong_id_first(sock: socket.socket, _other: socket.socket, reply: bytes, source: tuple[str, int]) -> None:
    response = codec.decode_response(reply)
    right = codec.encode_integer(response.request_id)
    sock.sendto(reply.replace(right, codec.encode_integer(response.request_id ^ 1), 1), source)
    sock.sendto(reply, source)


def _send_garbage_first(sock: socket.socket, _other: socket.socket, reply: bytes, source: tuple[str, int]) -> None:
    for datagram in (b"\x30\x05junk!", reply[: len(reply) // 2], reply):
        sock.sendto(datagram, source)


Sender = Callable[[socket.socket, socket.socket, bytes, tuple[str, int]], None]
SENDERS: dict[str, Sender] = {
    "otherport": _send_from_elsewhere,
    "dup": _send_twice,
    "wrongid": _send_wrong_id_first,
    "garbage": _send_garbage_first,
}


def switch(ports: int = 48, *, name: str = "switch") -> Mib:
    """A made-up switch: system, IF-MIB with 64-bit counters, two CPUs, memory and a disk, sensors, LLDP neighbours."""
    rows: dict[codec.Oid, bytes] = {}

    def put(dotted: str, tag: int, value: int | str | bytes | codec.Oid) -> None:
        rows[codec.parse_oid(dotted)] = codec.encode_value(tag, value)

    put("1.3.6.1.2.1.1.1.0", codec.OCTETS, f"Made-up switch, {ports} ports, version 1.0")
    put("1.3.6.1.2.1.1.2.0", codec.OBJECT_ID, codec.parse_oid("1.3.6.1.4.1.8072.3.2.255"))
    put("1.3.6.1.2.1.1.3.0", codec.TIMETICKS, 123_456_789)
    put("1.3.6.1.2.1.1.5.0", codec.OCTETS, name)
    put("1.3.6.1.2.1.1.6.0", codec.OCTETS, "lab")
    put("1.3.6.1.2.1.2.1.0", codec.INTEGER, ports)
    put("1.3.6.1.2.1.31.1.5.0", codec.TIMETICKS, 100)
    for port in range(1, ports + 1):
        _put_port(put, port)
    for cpu in (1, 2):
        put(f"1.3.6.1.2.1.25.3.3.1.2.{cpu}", codec.INTEGER, 10 * cpu)
    pools = (("Physical memory", 2, 1024, 2_097_152, 1_234_567), ("/", 4, 4096, 1_000_000, 400_000))
    for row, (title, kind, unit, size, used) in enumerate(pools, 1):
        entry = "1.3.6.1.2.1.25.2.3.1"
        put(f"{entry}.2.{row}", codec.OBJECT_ID, codec.parse_oid(f"1.3.6.1.2.1.25.2.1.{kind}"))
        put(f"{entry}.3.{row}", codec.OCTETS, title)
        for column, number in ((4, unit), (5, size), (6, used)):
            put(f"{entry}.{column}.{row}", codec.INTEGER, number)
    for sensor in range(1, 5):
        put(f"1.3.6.1.2.1.47.1.1.1.1.7.{1000 + sensor}", codec.OCTETS, f"temp-{sensor}")
        for column, number in enumerate((8, 9, 1, 300 + sensor, 1), 1):
            put(f"1.3.6.1.2.1.99.1.1.1.{column}.{1000 + sensor}", codec.INTEGER, number)
    return Mib(rows.items())


def _put_port(put: Callable[[str, int, int | str | bytes], None], port: int) -> None:
    entry, x_entry = "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1"
    put(f"{entry}.1.{port}", codec.INTEGER, port)
    put(f"{entry}.2.{port}", codec.OCTETS, f"GigabitEthernet1/0/{port}")
    put(f"{entry}.6.{port}", codec.OCTETS, bytes((2, 0, 0, 0, port >> 8, port & 255)))
    put(f"{x_entry}.1.{port}", codec.OCTETS, f"Gi1/0/{port}")
    put(f"{x_entry}.18.{port}", codec.OCTETS, f"uplink {port}" if port % 4 == 0 else "")
    for column, tag, number in (
        (3, codec.INTEGER, 6), (4, codec.INTEGER, 1500), (5, codec.GAUGE32, 1_000_000_000), (7, codec.INTEGER, 1),
        (8, codec.INTEGER, 1 if port % 7 else 2), (13, codec.COUNTER32, port), (14, codec.COUNTER32, port // 3),
        (19, codec.COUNTER32, 0), (20, codec.COUNTER32, port // 5), (10, codec.COUNTER32, 3_000_000_000 + port),
        (16, codec.COUNTER32, 2_000_000_000 + port),
    ):  # fmt: skip
        put(f"{entry}.{column}.{port}", tag, number)
    for column, tag, number in (
        (6, codec.COUNTER64, 98_765_432_100_000 + port * 1111), (7, codec.COUNTER64, 7_900_000 + port),
        (10, codec.COUNTER64, 12_345_678_900_000 + port * 777), (11, codec.COUNTER64, 6_800_000 + port),
        (8, codec.COUNTER64, 1100 + port), (9, codec.COUNTER64, 1200 + port), (12, codec.COUNTER64, 2100 + port),
        (13, codec.COUNTER64, 2200 + port), (15, codec.GAUGE32, 1000), (19, codec.TIMETICKS, 0),
    ):  # fmt: skip
        put(f"{x_entry}.{column}.{port}", tag, number)
