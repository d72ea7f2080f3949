"""The SNMP codec: both directions agree, and what real agents get wrong costs only itself."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import DecodeError, InvalidInput
from ingest.snmp import codec, values

ARCS = st.integers(0, 2**40)
OIDS = st.tuples(st.sampled_from([0, 1, 2]), st.integers(0, 39)).flatmap(
    lambda head: st.lists(ARCS, max_size=20).map(lambda rest: (*head, *rest))
)
NAME = codec.oid_octets("1.3.6.1.4.1.99999.1.1.0")


def answer(*varbinds: bytes, request_id: int = codec.FIRST_ID) -> bytes:
    """A response that holds these varbinds."""
    prepared = codec.prepare(codec.GET, [NAME], community=b"public")
    return codec.encode_response(codec.decode_request(prepared.with_id(request_id)), varbinds)


@given(OIDS)
def test_an_oid_survives_the_wire(oid: codec.Oid) -> None:
    assert codec.decode_oid(codec.encode_oid(oid)) == oid
    assert codec.parse_oid(codec.format_oid(oid)) == oid


@given(st.integers(-(2**63), 2**63 - 1))
def test_an_integer_survives_the_wire(number: int) -> None:
    varbind = codec.encode_varbind(NAME, codec.encode_value(codec.INTEGER, number))
    name, tag, content = codec.decode_response(answer(varbind)).varbinds[0]
    assert (name, values.number(tag, content)) == (NAME, number)


@given(st.integers(0, 2**64 - 1))
def test_a_counter_survives_the_wire(number: int) -> None:
    varbind = codec.encode_varbind(NAME, codec.encode_value(codec.COUNTER64, number))
    assert values.number(*codec.decode_response(answer(varbind)).varbinds[0][1:]) == number


@given(
    st.sampled_from([codec.GET, codec.GETNEXT, codec.GETBULK]),
    st.lists(OIDS, min_size=1, max_size=60),
    st.integers(codec.FIRST_ID, codec.LAST_ID),
    st.binary(max_size=200),
)
def test_a_request_survives_the_wire(kind: int, oids: list[codec.Oid], request_id: int, community: bytes) -> None:
    names = [codec.encode_oid(oid) for oid in oids]
    prepared = codec.prepare(kind, names, community=community, version=codec.V1, non_repeaters=1, repetitions=300)
    request = codec.decode_request(prepared.with_id(request_id))
    assert request.names == tuple(names)
    assert (request.kind, request.version, request.community) == (kind, codec.V1, community)
    assert (request.non_repeaters, request.repetitions) == (1, 300)
    assert codec.decode_response(codec.encode_response(request, [])).request_id == request_id


@given(st.binary(max_size=300))
def test_garbage_raises_nothing_but_decode_error(data: bytes) -> None:
    for decode in (codec.decode_request, codec.decode_response):
        with contextlib.suppress(DecodeError):
            decode(data)


@given(st.data())
def test_a_damaged_answer_raises_nothing_but_decode_error(data: st.DataObject) -> None:
    good = bytearray(answer(*[codec.encode_varbind(NAME, codec.encode_value(codec.GAUGE32, n)) for n in range(5)]))
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(DecodeError):
        assert len(codec.decode_response(bytes(good)).varbinds) <= 60


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        pytest.param("4104fffffffe", 4294967294, id="counter32 as a negative 4-byte integer"),
        pytest.param("4108fffffffffffffffe", 4294967294, id="counter32 sign-extended to 8 bytes"),
        pytest.param("460900fffffffffffffffe", 2**64 - 2, id="counter64 with its leading zero"),
        pytest.param("4608fffffffffffffffe", 2**64 - 2, id="counter64 in 8 bytes, top bit set"),
        pytest.param("42020007", 7, id="gauge32 with a redundant leading zero"),
        pytest.param("42050200000000", 2**33, id="gauge32 above 32 bits"),
        pytest.param("0200", 0, id="integer of length 0"),
        pytest.param("0404fffe80c3", "ÿþ\x80Ã".encode("latin-1").hex(" "), id="octets that are no text"),
        pytest.param("0407" + b"Z\xfcrich1".hex(), "Zürich1", id="Latin-1 text"),
        pytest.param("040b" + "Zürich-1é".encode().hex(), "Zürich-1é", id="UTF-8 text"),
        pytest.param("048400000003616263", "abc", id="octet string, length in 4 bytes"),
        pytest.param("44079f780442" + "2a0000", 42.5, id="opaque float of net-snmp"),
        pytest.param("440b9f7908" + "4045400000000000", 42.5, id="opaque double"),
        pytest.param("4010" + "00" * 16, "::", id="IpAddress of 16 bytes"),
        pytest.param("40040a000001", "10.0.0.1", id="IpAddress"),
        pytest.param("06072b069080808001", "1.3.6.4294967297", id="OID with a number above 2^32"),
        pytest.param("040561626364" + "00", "abcd", id="text with a trailing NUL"),
        pytest.param("0600", "", id="empty OID"),
        pytest.param("0500", None, id="NULL"),
        pytest.param("8100", None, id="noSuchInstance"),
    ],
)
def test_a_value_is_read_as_its_sender_meant_it(wire: str, expected: object) -> None:
    message = codec.decode_response(answer(codec.encode_varbind(NAME, bytes.fromhex(wire))))
    assert values.value(*message.varbinds[0][1:]) == expected
    assert message.broken == 0


def test_a_broken_varbind_costs_only_itself_and_keeps_its_place() -> None:
    good = [codec.encode_varbind(NAME, codec.encode_value(codec.INTEGER, n)) for n in (1, 2)]
    too_long = bytearray(good[0])
    too_long[-2] = 9  # the value claims more octets than its varbind has
    no_name = codec.encode_tlv(codec.SEQUENCE, codec.encode_integer(5) + codec.encode_integer(6))
    message = codec.decode_response(answer(good[0], bytes(too_long), no_name, b"\x30\x00", good[1]))
    assert [tag for _, tag, _ in message.varbinds] == [codec.INTEGER, codec.BROKEN, codec.BROKEN, codec.BROKEN, 2]
    assert message.varbinds[1][0] == NAME
    assert message.broken == 3


def test_a_tag_unknown_to_snmp_is_kept_but_is_no_number() -> None:
    message = codec.decode_response(answer(codec.encode_varbind(NAME, bytes.fromhex("010101"))))
    assert message.varbinds == [(NAME, 1, b"\x01")]
    assert values.number(*message.varbinds[0][1:]) is None


@pytest.mark.parametrize("cut", [1, 2, 10, 30], ids=lambda cut: f"{cut} octets")
def test_a_cut_datagram_is_refused(cut: int) -> None:
    whole = answer(codec.encode_varbind(NAME, codec.encode_value(codec.INTEGER, 1)))
    with pytest.raises(DecodeError):
        codec.decode_response(whole[:cut])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(bytes.fromhex("0023047baa00"), "00:23:04:7b:aa:00", id="a MAC address"),
        pytest.param(b"abcdef", "61:62:63:64:65:66", id="six printable octets are still a MAC address"),
        pytest.param(b"", "", id="none"),
        pytest.param(bytes(6), "00:00:00:00:00:00", id="all zero"),
        pytest.param(b"00:23:04:7B:AA:00", "00:23:04:7b:aa:00", id="sent as text"),
    ],
)
def test_mac(content: bytes, expected: str) -> None:
    assert values.mac(content) == expected


def test_an_oid_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput):
        codec.parse_oid("1.3.sysName")
