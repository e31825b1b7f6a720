"""Lines for people who may not read them."""

import os

from wattwheel.drivers.linux.console import LINE_OCTETS_MAX, print_line


def test_a_line():
    reading, writing = os.pipe()
    assert print_line(writing, "a line é \udc80")
    assert os.read(reading, 99) == b"a line \xc3\xa9 \\udc80\n"
    assert print_line(writing, "x" * 9999)
    assert os.read(reading, 9999) == b"x" * (LINE_OCTETS_MAX - 1) + b"\n"
    os.close(reading)
    os.close(writing)


def test_a_reader_that_does_not_read_keeps_nobody_waiting():
    reading, writing = os.pipe()
    taken = 0
    while print_line(writing, "x" * 999):
        taken += 1
    assert taken > 1
    assert not print_line(writing, "x")
    os.read(reading, 65_536)
    assert print_line(writing, "x")
    os.close(reading)
    os.close(writing)


def test_a_reader_that_has_gone_and_a_descriptor_that_is_closed_end_nobody():
    reading, writing = os.pipe()
    os.close(reading)
    assert not print_line(writing, "x")
    os.close(writing)
    assert not print_line(writing, "x")
    assert not print_line(-1, "x")
    with open("/dev/full", "w") as full:
        assert not print_line(full.fileno(), "x")
