"""What the peers of the bus benchmark run: each script prints [p50 us, p99 us, one-way messages a second].

Every script forks its answerer. Round trips are one at a time. One-way messages are counted by the answerer, which
tells the asker when all have come.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from wattwheel.testing.benchmarks.peers import PeerUnavailableError

START_TIMEOUT_S = 15

_COMMON = """\
import json, os, sys, time
clock = time.perf_counter_ns
def report(waits, told, elapsed_ns):
    waits = sorted(waits[500:])
    n = len(waits)
    print(json.dumps([waits[n // 2] / 1e3, waits[n * 99 // 100] / 1e3, told / (elapsed_ns / 1e9)]), flush=True)
"""

BARE = (
    _COMMON
    + """\
import select, socket
asks, notices, octets = map(int, sys.argv[1:])
def pair():
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return a, b
asker, hub_a = pair()
hub_b, owner = pair()
DATA, END = bytes(octets), b"end"
if os.fork() == 0:
    poll = select.epoll()
    poll.register(hub_a.fileno(), 1); poll.register(hub_b.fileno(), 1)
    there = {hub_a.fileno(): (hub_a, hub_b), hub_b.fileno(): (hub_b, hub_a)}
    asker.close(); owner.close()
    while True:
        for fd, _ in poll.poll():
            source, far = there[fd]
            message = source.recv(4096)
            if not message:
                os._exit(0)
            far.send(message)
if os.fork() == 0:
    poll = select.epoll(); poll.register(owner.fileno(), 1)
    asker.close(); hub_a.close(); hub_b.close()
    count = -1
    while True:
        poll.poll()
        message = owner.recv(4096)
        if not message:
            os._exit(0)
        if message == b"count":
            count = 0
        elif message == END:
            owner.send(str(count).encode()); count = -1
        elif count >= 0:
            count += 1
        else:
            owner.send(message)
hub_a.close(); hub_b.close(); owner.close()
poll = select.epoll(); poll.register(asker.fileno(), 1)
waits = []
for _ in range(asks + 500):
    begin = clock(); asker.send(DATA); poll.poll(); asker.recv(4096); waits.append(clock() - begin)
asker.send(b"count"); begin = clock()
for _ in range(notices):
    asker.send(DATA)
asker.send(END); poll.poll()
assert int(asker.recv(100)) == notices
report(waits, notices, clock() - begin)
"""
)

ZEROMQ = (
    _COMMON
    + """\
import zmq
address, (asks, notices, octets) = sys.argv[1], map(int, sys.argv[2:])
DATA = bytes(octets)
if os.fork() == 0:  # the router: passes a message on to the peer that it names
    router = zmq.Context().socket(zmq.ROUTER); router.set_hwm(0); router.bind(address)
    while True:
        sender, target, *rest = router.recv_multipart()
        router.send_multipart([target, sender, *rest])
def dealer(name):
    end = zmq.Context().socket(zmq.DEALER); end.setsockopt(zmq.IDENTITY, name); end.set_hwm(0); end.connect(address)
    return end
if os.fork() == 0:
    end = dealer(b"owner"); count = -1
    while True:
        sender, message = end.recv_multipart()
        if message == b"count":
            count = 0; end.send_multipart([sender, b"ok"])
        elif message == b"end":
            end.send_multipart([sender, str(count).encode()]); count = -1
        elif count >= 0:
            count += 1
        else:
            end.send_multipart([sender, message])
end = dealer(b"asker"); time.sleep(1.0)
def ask(message):
    end.send_multipart([b"owner", message]); return end.recv_multipart()[1]
waits = []
for _ in range(asks + 500):
    begin = clock(); ask(DATA); waits.append(clock() - begin)
ask(b"count"); begin = clock()
for _ in range(notices):
    end.send_multipart([b"owner", DATA])
assert int(ask(b"end")) == notices
report(waits, notices, clock() - begin)
import signal; os.killpg(0, signal.SIGKILL)
"""
)

MQTT = (
    _COMMON
    + """\
import queue, paho.mqtt.client as mqtt
(host, port), (asks, notices, octets) = sys.argv[1].split(":"), map(int, sys.argv[2:])
DATA = bytes(octets)
def client(topic, action):
    ready = queue.SimpleQueue()
    c = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    c.max_queued_messages_set(0); c.max_inflight_messages_set(0)
    c.on_connect = lambda *a: c.subscribe(topic, 0)
    c.on_subscribe = lambda *a: ready.put(1)
    c.on_message = lambda _c, _u, m: action(c, m.payload)
    c.connect(host, int(port)); c.loop_start(); ready.get(timeout=10)
    return c
if os.fork() == 0:
    count = -1
    def answer(c, message):
        global count
        if message == b"count":
            count = 0; c.publish("back", b"ok")
        elif message == b"end":
            c.publish("back", str(count).encode()); count = -1
        elif count >= 0:
            count += 1
        else:
            c.publish("back", message)
    client("there", answer)
    time.sleep(80); os._exit(0)
time.sleep(1.0)
replies = queue.SimpleQueue()
c = client("back", lambda _c, m: replies.put(m))
def ask(message):
    c.publish("there", message); return replies.get(timeout=30)
waits = []
for _ in range(asks + 500):
    begin = clock(); ask(DATA); waits.append(clock() - begin)
ask(b"count"); begin = clock()
for _ in range(notices):
    c.publish("there", DATA)
got = int(ask(b"end"))
report(waits, got, clock() - begin)
import signal; os.killpg(0, signal.SIGKILL)
"""
)

NATS = (
    _COMMON
    + """\
import asyncio, nats
address, (asks, notices, octets) = sys.argv[1], map(int, sys.argv[2:])
DATA = bytes(octets)
async def owner():
    c = await nats.connect(address, pending_size=1 << 28)
    state = {"count": -1}
    async def answer(m):
        if m.data == b"count":
            state["count"] = 0; await c.publish(m.reply, b"ok")
        elif m.data == b"end":
            await c.publish(m.reply, str(state["count"]).encode()); state["count"] = -1
        elif state["count"] >= 0:
            state["count"] += 1
        else:
            await c.publish(m.reply, m.data)
    await c.subscribe("there", cb=answer, pending_msgs_limit=10**7, pending_bytes_limit=1 << 30)
    await asyncio.sleep(80)
async def asker():
    c = await nats.connect(address, pending_size=1 << 28)
    waits = []
    for _ in range(asks + 500):
        begin = clock(); await c.request("there", DATA, timeout=10); waits.append(clock() - begin)
    await c.request("there", b"count", timeout=10); begin = clock()
    for number in range(notices):
        await c.publish("there", DATA)
        if number % 1000 == 0:
            await c.flush()
    got = int((await c.request("there", b"end", timeout=30)).data)
    report(waits, got, clock() - begin)
if os.fork() == 0:
    asyncio.run(owner()); os._exit(0)
time.sleep(1.0)
asyncio.run(asker())
import signal; os.killpg(0, signal.SIGKILL)
"""
)

DBUS = (
    _COMMON
    + """\
import asyncio
from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus
address, (asks, notices, octets) = sys.argv[1], map(int, sys.argv[2:])
DATA = bytes(octets)
async def owner():
    bus = await MessageBus(bus_address=address).connect()
    count = -1
    def answer(m):
        nonlocal count
        if m.message_type is not MessageType.METHOD_CALL or m.interface != "w.B":
            return None
        if m.member == "Count":
            count = 0
        elif m.member == "End":
            reply = Message.new_method_return(m, "u", [count]); count = -1
            return reply
        elif m.member == "Tell":
            count += 1
            return True
        return Message.new_method_return(m, "ay", [m.body[0]] if m.body else [b""])
    bus.add_message_handler(answer)
    await bus.request_name("w.owner")
    await asyncio.sleep(80)
async def asker():
    bus = await MessageBus(bus_address=address).connect()
    def message(member, body=None):
        signature = "ay" if body is not None else ""
        return Message("w.owner", "/w", "w.B", member, signature=signature, body=[body] if body is not None else [])
    waits = []
    for _ in range(asks + 500):
        begin = clock(); await bus.call(message("Ask", DATA)); waits.append(clock() - begin)
    await bus.call(message("Count")); begin = clock()
    for number in range(notices):
        m = message("Tell", DATA); m.flags = m.flags.NO_REPLY_EXPECTED
        if number % 32 == 31:
            await bus.send(m); await bus.call(message("Ask", b"x")); continue
        bus.send(m)
    got = (await bus.call(message("End"))).body[0]
    report(waits, got, clock() - begin)
if os.fork() == 0:
    asyncio.run(owner()); os._exit(0)
time.sleep(1.0)
asyncio.run(asker())
import signal; os.killpg(0, signal.SIGKILL)
"""
)

Serve = Callable[[str], AbstractContextManager[str]]


class Broker(NamedTuple):
    """A peer: what to install, its program (Debian's), how to start it, and the script of its two clients."""

    requirements: tuple[str, ...]
    program: str
    serve: Serve
    script: str


@contextlib.contextmanager
def _dbus(program: str) -> Iterator[str]:
    command = [program, "--session", "--nofork", "--print-address=1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None
            if not select.select([process.stdout], [], [], START_TIMEOUT_S)[0]:
                raise PeerUnavailableError("dbus-daemon gave no address")
            yield process.stdout.readline().decode().strip()
        finally:
            process.kill()


@contextlib.contextmanager
def _zeromq(_program: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="wattwheel-") as folder:
        yield f"ipc://{folder}/router"


@contextlib.contextmanager
def _mosquitto(program: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="wattwheel-") as folder:
        port = _free_port()
        conf = Path(folder) / "mosquitto.conf"
        conf.write_text(
            f"listener {port} 127.0.0.1\\nallow_anonymous true\\nmax_queued_messages 0\\n".replace("\\n", "\n")
        )
        with _served([program, "-c", str(conf)], port):
            yield f"127.0.0.1:{port}"


@contextlib.contextmanager
def _nats(program: str) -> Iterator[str]:
    port = _free_port()
    with _served([program, "-a", "127.0.0.1", "-p", str(port)], port):
        yield f"nats://127.0.0.1:{port}"


@contextlib.contextmanager
def _served(command: list[str], port: int) -> Iterator[None]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(START_TIMEOUT_S * 20):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.05)
                    raise PeerUnavailableError(f"{re.sub('.*/', '', command[0])} ended at once")
            yield
        finally:
            process.kill()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


BROKERS: dict[str, Broker] = {
    "dbus-daemon": Broker(("dbus-fast==5.2.0",), "dbus-daemon", _dbus, DBUS),
    "ZeroMQ router": Broker(("pyzmq",), "", _zeromq, ZEROMQ),
    "mosquitto": Broker(("paho-mqtt>=2",), "mosquitto", _mosquitto, MQTT),
    "nats-server": Broker(("nats-py",), "nats-server", _nats, NATS),
}
"""The brokers by name."""
