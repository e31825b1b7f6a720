"""Two real modules joined by TCP on loopback, without the wire of the drill between them."""

from __future__ import annotations

import contextlib

from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.testing.drills import link_cut
from wattwheel.testing.drills.link_partitions import TAKEN, WRONG
from wattwheel.testing.drills.link_wire import free_address

STEPS_MAX = 3000


class TwoPrograms:
    def __init__(self, folder, loop, east, west):
        self.loop = loop
        door = free_address()
        self.both = [
            link_cut.FarModule(folder, loop, name, link | files, out, into, document_with(files))
            for name, link, files, out, into in (
                ("east", {"listen": door}, east, 1, 2),
                ("west", {"connect": door}, west, 2, 1),
            )
        ]

    def until_taken(self, number):
        for _ in range(STEPS_MAX):
            self.loop.step(0.01)
            if min(module.count("taker", TAKEN) for module in self.both) >= number:
                return
        raise AssertionError([module.said for module in self.both])

    def wrong(self):
        return sum(module.count("taker", WRONG) for module in self.both)


def document_with(files):
    """The module's document, its network partition granted `files`."""
    devices = "".join(f'<ww:Device Name="file:{path}"/>' for path in files.values())
    return link_cut.MODULE.replace('<ww:Device Name="network"/>', f'<ww:Device Name="network"/>{devices}')


@contextlib.contextmanager
def two_programs(folder, east, west):
    loop = EpollLoop()
    two = TwoPrograms(folder, loop, east, west)
    try:
        yield two
    finally:
        for module in two.both:
            module.close()
        loop.close()
