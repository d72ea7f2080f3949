"""Ports of the simulated devices stay the same while they are free, and move together when not."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from app.demo.network import build_network
from app.demo.ports import have_moved, hold_simulator, is_simulating, reserve_ports
from app.errors import WatchfloorError

NETWORK = build_network()


def test_they_are_the_same_at_every_start(tmp_path: Path):
    ports = reserve_ports(tmp_path, NETWORK)
    assert len(set(ports.values())) == len(NETWORK.devices)
    assert reserve_ports(tmp_path, NETWORK) == ports


def test_they_move_when_somebody_else_has_one_but_not_when_it_is_our_own_simulator(tmp_path: Path):
    ports = reserve_ports(tmp_path, NETWORK)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", ports["fra1-core-01"]))
        held = hold_simulator(tmp_path)
        assert is_simulating(tmp_path)
        assert reserve_ports(tmp_path, NETWORK) == ports
        os.close(held)
        moved = reserve_ports(tmp_path, NETWORK)
    assert not set(moved.values()) & {ports["fra1-core-01"]}
    assert not have_moved(tmp_path, NETWORK)


def test_a_move_after_the_inventory_was_made_is_noticed(tmp_path: Path):
    assert not have_moved(tmp_path, NETWORK)  # nothing was reserved, so nothing moved
    ports = reserve_ports(tmp_path, NETWORK)
    assert not have_moved(tmp_path, NETWORK)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", ports["zrh1-fw-01"]))
        assert have_moved(tmp_path, NETWORK)


def test_homes_search_in_different_places(tmp_path: Path):
    firsts = {min(reserve_ports(tmp_path / f"home-{number}", NETWORK).values()) for number in range(6)}
    assert len(firsts) > 1


def test_a_home_has_one_simulator(tmp_path: Path):
    held = hold_simulator(tmp_path)
    with pytest.raises(WatchfloorError, match="another simulator"):
        hold_simulator(tmp_path)
    os.close(held)
    os.close(hold_simulator(tmp_path))
