"""The UDP ports of the simulated devices: reserved before the inventory is made, the same again after a restart."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from app.demo.chance import fraction
from app.demo.journal import demo_folder, read_json, write_atomically
from app.demo.network import Network
from app.errors import WatchfloorError

ADDRESS: Final = "127.0.0.1"
FIRST_PORT, LAST_PORT, STEP = 16_100, 31_900, 100


def reserve_ports(home: Path, network: Network) -> Mapping[str, int]:
    """The port of every device, by name; written to demo/ports.json.

    The ports of the last start are kept when they are free (or our own simulator holds them), else all move.
    """
    path = demo_folder(home) / "ports.json"
    names = [device.name for device in network.devices]
    known = read_json(path)
    if set(known) == set(names) and (is_simulating(home) or _are_free(list(known.values()))):
        return known
    for first in _firsts(home):
        if _are_free(range(first, first + len(names))):
            ports = {name: first + number for number, name in enumerate(names)}
            write_atomically(path, msgspec.json.encode(ports))
            return ports
    raise WatchfloorError(f"no {len(names)} free UDP ports in a row on {ADDRESS} for the simulated devices")


def have_moved(home: Path, network: Network) -> bool:
    """Reserve again, and tell whether the ports are others now: somebody took one since the inventory was made."""
    before = read_json(demo_folder(home) / "ports.json")
    return bool(before) and reserve_ports(home, network) != before


def hold_simulator(home: Path) -> int:
    """Be the one simulator of this home until the answer (a file descriptor) is closed."""
    descriptor = os.open(demo_folder(home) / "simulator.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise WatchfloorError(f"another simulator runs for {home}") from None
    return descriptor


def is_simulating(home: Path) -> bool:
    """Whether a simulator runs for this home."""
    try:
        os.close(hold_simulator(home))
    except WatchfloorError:
        return True
    return False


def _firsts(home: Path) -> Iterator[int]:
    """Where rows of ports may begin; each home begins its search elsewhere, so that two starts seldom meet."""
    rows = (LAST_PORT - FIRST_PORT) // STEP
    begin = int(fraction("ports", home.absolute()) * rows)
    return (FIRST_PORT + (begin + number) % rows * STEP for number in range(rows))


def _are_free(ports: Sequence[int] | range) -> bool:
    for port in ports:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind((ADDRESS, port))
            except OSError as error:
                if error.errno in (errno.EADDRINUSE, errno.EACCES):
                    return False
                raise
    return True
