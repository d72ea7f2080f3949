"""What a process keeps of unpacked rows: by whom and what was asked, and no more than fits."""

from __future__ import annotations

from app.domain.tenancy import TenantId
from app.tsdb.unpacked import Row, Unpacked, Wanted

ACME, GLOBEX = TenantId(1), TenantId(2)
FIRST = Wanted(7, 3600, b"slot 1", b"max")


def row(content: str, size: int = 10, version: int = 1) -> Row[str]:
    return Row(version, 0, content, size)


def contents(kept: Unpacked[str], tenant: TenantId, *asked: Wanted) -> dict[int, dict[int, str]]:
    found = kept.of(tenant, asked)
    return {group_id: {ms: its.content for ms, its in rows.items()} for group_id, rows in found.items()}


def test_it_is_found_by_exactly_what_was_asked() -> None:
    kept: Unpacked[str] = Unpacked()
    kept.keep(ACME, FIRST, [(0, row("a")), (3_600_000, row("b"))])
    assert contents(kept, ACME, FIRST) == {7: {0: "a", 3_600_000: "b"}}
    for other in (
        FIRST._replace(group_id=8),
        FIRST._replace(tier=300),
        FIRST._replace(slots=b"slot 2"),
        FIRST._replace(stats=b"min"),
    ):
        assert contents(kept, ACME, other) == {}


def test_charlie_of_globex_finds_nothing_of_acme() -> None:
    kept: Unpacked[str] = Unpacked()
    kept.keep(ACME, FIRST, [(0, row("a"))])
    assert contents(kept, GLOBEX, FIRST) == {}


def test_a_new_version_takes_the_place_of_the_old() -> None:
    kept: Unpacked[str] = Unpacked()
    kept.keep(ACME, FIRST, [(0, row("a", size=30))])
    kept.keep(ACME, FIRST, [(0, row("b", size=20, version=2))])
    assert contents(kept, ACME, FIRST) == {7: {0: "b"}}
    assert kept.size == 20


def test_what_was_not_asked_for_the_longest_goes_first() -> None:
    kept: Unpacked[str] = Unpacked(most_bytes=30)
    second, third, fourth = (FIRST._replace(group_id=number) for number in (8, 9, 10))
    for wanted, content in ((FIRST, "a"), (second, "b"), (third, "c")):
        kept.keep(ACME, wanted, [(0, row(content))])
    assert contents(kept, ACME, FIRST)
    kept.keep(ACME, fourth, [(0, row("d"))])
    assert contents(kept, ACME, FIRST, second, third, fourth) == {7: {0: "a"}, 9: {0: "c"}, 10: {0: "d"}}
    kept.keep(ACME, second, [(0, row("too large", size=31))])
    assert (contents(kept, ACME, FIRST, second, third, fourth), kept.size) == ({}, 0)
