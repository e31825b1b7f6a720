"""Runs inside the environment of `python-dlt645`: reads over TCP as told on standard input.

Arguments: `HOST PORT`. Each line in: {"di": 8 or 4 hex digits, or null for the address}. Each line out: {"address":
..., "data": what the package decoded (value, then identifier), "error": its exception or null, "received": hex}.
"""

import json
import socket
import sys

import dlt645

TIMEOUT_S = 2.0
SILENCE_S = 0.05


class Recording:
    """A file-like object that remembers what was read through it."""

    def __init__(self, connection):
        self.connection = connection
        self.received = b""

    def read(self, count):
        octets = self.connection.recv(count)
        self.received += octets
        return octets

    def write(self, octets):
        self.connection.sendall(octets)

    def rest(self):
        """Take what a client that stopped too early has left behind."""
        self.connection.settimeout(SILENCE_S)
        try:
            while octets := self.connection.recv(4096):
                self.received += octets
        except TimeoutError:
            pass
        self.connection.settimeout(TIMEOUT_S)


def ask(line, address, di):
    if di is None:
        return {"address": dlt645.get_addr(line)}
    if di == "energy":
        return {"data": dlt645.get_active_energy(address, line)}
    frame = (
        dlt645.Frame(address)
        if len(di) == 8
        else dlt645.Frame(address, {"direction": 0, "response": 0, "more": 0, "function": 1})
    )
    frame.data = di
    dlt645.write_frame(line, frame)
    return {"data": dlt645.read_frame(dlt645.iogen(line)).data}


with socket.create_connection((sys.argv[1], int(sys.argv[2])), TIMEOUT_S) as connection:
    for order in map(json.loads, sys.stdin):
        line = Recording(connection)
        told = {"address": None, "data": None, "error": None}
        try:
            told.update(ask(line, order.get("address"), order["di"]))
        except Exception as error:
            told["error"] = repr(error)
            line.rest()
        print(json.dumps(told | {"received": line.received.hex()}), flush=True)
