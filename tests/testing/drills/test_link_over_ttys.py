"""Two real modules whose link is a pair of pseudo-terminals, relayed by the test, which drops an octet now and then."""

from __future__ import annotations

import os
import random

import msgspec

from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.drivers.linux.octets import open_pseudo_terminal
from wattwheel.testing.drills import link_cut
from wattwheel.testing.drills.link_partitions import SENT, TAKEN, WRONG

STEPS_MAX = 6000


def test_two_modules_on_a_line_that_loses_octets(tmp_path):
    chance = random.Random(1)
    loop = EpollLoop()
    masters, modules, held = [], [], []
    lost = [0]
    for name, out, into in (("east", 1, 2), ("west", 2, 1)):
        master, slave, path = open_pseudo_terminal()
        masters.append(master)
        held += [master, slave]
        device = f"tty:{path}"
        document = link_cut.MODULE.replace('<ww:Device Name="network"/>', f'<ww:Device Name="{device}"/>')
        modules.append(link_cut.FarModule(tmp_path, loop, name, {"line": device}, out, into, document))

    def relay(here, there):
        octets = bytearray(os.read(here, 4096))
        if octets and lost[0] < 20 and chance.random() < 0.01:
            del octets[chance.randrange(len(octets))]
            lost[0] += 1
        os.write(there, octets)

    loop.watch(masters[0], lambda: relay(masters[0], masters[1]))
    loop.watch(masters[1], lambda: relay(masters[1], masters[0]))
    east, west = modules
    try:
        for _ in range(STEPS_MAX):
            loop.step(0.01)
            if min(east.count("taker", TAKEN), west.count("taker", TAKEN)) > 200 and lost[0] > 1:
                break
        for module in modules:
            os.write(module.input.fileno(), b"s")
        for _ in range(STEPS_MAX):
            loop.step(0.01)
            if all(a.count("taker", TAKEN) == b.count("sender", SENT) > 0 for a, b in ((east, west), (west, east))):
                break
        assert lost[0] > 1
        assert east.count("taker", TAKEN) == west.count("sender", SENT) > 200
        assert west.count("taker", TAKEN) == east.count("sender", SENT) > 200
        assert east.count("taker", WRONG) == west.count("taker", WRONG) == 0
        assert msgspec.json.encode(east.said["virtual_ports"])
    finally:
        for module in modules:
            module.close()
        for descriptor in held:
            os.close(descriptor)
        loop.close()
