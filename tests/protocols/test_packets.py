"""Packets over a line: they come back whole or not at all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wattwheel.protocols.packets import DATA_OCTETS_MAX, END, PACKET_OCTETS_MAX, Packet, PacketReader, encode

NUMBERS = st.integers(0, 0xFFFFFFFF)
AWKWARD = st.binary(max_size=60) | st.lists(st.sampled_from([0xC0, 0xDB, 0xDC, 0xDD, 0]), max_size=60).map(bytes)
PACKETS = st.lists(st.builds(Packet, NUMBERS, NUMBERS, NUMBERS, AWKWARD), max_size=6)


CHECK = "f8a2b4e6"  # CRC-32 of 00000001 00000003 00000002 C0 DB


def test_the_octets_of_a_packet():
    assert encode(1, 3, 2, b"\xc0\xdb").hex() == "c0" + "00000001" + "00000003" + "00000002" + "dbdcdbdd" + CHECK + "c0"
    assert len(encode(0xC0C0C0C0, 0xC0C0C0C0, 0xC0C0C0C0, bytes([END]) * DATA_OCTETS_MAX)) <= PACKET_OCTETS_MAX


@given(PACKETS, st.lists(st.integers(1, 20), max_size=60))
def test_packets_come_back_however_the_stream_is_cut(packets, cuts):
    octets = b"".join(encode(*packet) for packet in packets)
    reader, found = PacketReader(), []
    for cut in cuts:
        found += reader.feed(octets[:cut])
        octets = octets[cut:]
    found += reader.feed(octets)
    assert found == packets
    assert reader.damaged == 0


@given(PACKETS, st.integers(0, 500), st.integers(1, 255))
def test_a_damaged_octet_costs_its_packet_and_nothing_is_invented(packets, place, bits):
    octets = bytearray(b"".join(encode(*packet) for packet in packets))
    if octets:
        octets[place % len(octets)] ^= bits
    found = PacketReader().feed(bytes(octets) + bytes([END]))
    assert all(packet in packets for packet in found)
    assert len(found) >= len(packets) - 2


def test_noise_without_an_end_is_not_kept():
    reader = PacketReader()
    for _ in range(100):
        reader.feed(bytes(1000))
    assert reader.damaged > 10
    assert len(reader._held) <= PACKET_OCTETS_MAX
    assert reader.feed(bytes([END]) + encode(1, 0, 0, b"x")) == [Packet(1, 0, 0, b"x")]
