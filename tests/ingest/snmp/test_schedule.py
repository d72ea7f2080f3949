"""The timetable: grids, lanes, and tenants that take turns."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingest.snmp.schedule import Cycle, Lane, Timetable, next_due_ms, offset_ms


@given(st.text(max_size=40), st.integers(1, 10**8))
def test_an_offset_lies_in_its_interval(identity: str, interval_ms: int) -> None:
    assert 0 <= offset_ms(identity, interval_ms) < interval_ms


@given(st.integers(0, 10**13), st.integers(1000, 10**6), st.data())
def test_a_device_comes_up_on_its_grid_and_only_in_the_future(now: int, interval: int, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, interval - 1))
    begun = now - data.draw(st.integers(0, 3 * interval))
    due = next_due_ms(now, begun_ms=begun, offset_ms=offset, interval_ms=interval)
    assert now < due <= max(now, begun + interval // 2) + interval
    assert due >= begun + interval // 2
    assert due % interval == offset


def test_a_poll_off_the_grid_is_not_followed_by_another_at_once() -> None:
    assert next_due_ms(59_000, begun_ms=58_000, offset_ms=0, interval_ms=60_000) == 120_000
    assert next_due_ms(59_000, begun_ms=20_000, offset_ms=0, interval_ms=60_000) == 60_000


def test_offsets_spread_devices_over_the_interval() -> None:
    slots = [offset_ms(f"1:{device}", 60_000) // 6000 for device in range(1000)]
    assert min(slots.count(slot) for slot in range(10)) > 60


def test_a_silent_device_goes_to_the_slow_lane_after_three_misses_and_back_at_once() -> None:
    cycle = Cycle()
    lanes = []
    for is_answered in (False, False, False, True):
        cycle.note(is_answered=is_answered)
        lanes.append(cycle.lane)
    assert lanes == [Lane.NORMAL, Lane.NORMAL, Lane.SLOW, Lane.NORMAL]


def test_tenants_take_turns_when_there_is_no_room_for_all() -> None:
    table = Timetable()
    for device in range(100):
        table.put((1, device), due_ms=0)
    table.put((2, 7), due_ms=50)
    assert table.take(49, room=2) == [(1, 0), (1, 1)]
    assert (2, 7) in table.take(50, room=2)
    assert table.next_ms() == 0  # the rest of tenant 1 waits for room
    assert len(table.take(50, room=1000)) == 97


def test_a_device_stands_in_the_timetable_once() -> None:
    table = Timetable()
    table.put((1, 1), due_ms=10)
    table.put((1, 1), due_ms=30)
    assert table.take(20, room=5) == []
    table.remove((1, 1))
    assert table.take(99, room=5) == []
    assert len(table) == 0
