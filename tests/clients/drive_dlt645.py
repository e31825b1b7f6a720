"""Runs inside the environment of the package `dlt645`: calls its client as told on standard input.

Arguments: `HOST PORT COUNT` or `DEVICE COUNT`: COUNT clients of the asynchronous kind at once, 0 for one synchronous
client. Each line in: {"call": NAME, "args": [...], "named": {...}}. Each line out: a list with, for each
client, {"value": what the call returned, "frames": [[sent, received or null], ...] in hex}.
"""

import asyncio
import json
import sys
from datetime import UTC, datetime

TIMEOUT_S = 1.0
CAPTURED_MAX = 50


def client_of(kind, door):
    if len(door) == 1:
        return kind.new_rtu_client(door[0], 2400, 8, 1, "N", TIMEOUT_S)
    return kind.new_tcp_client(ip=door[0], port=int(door[1]), timeout=TIMEOUT_S)


def plain(result):
    """Numbers and texts as they are; a maximum demand as its value, a record as the list of what is in it."""
    if isinstance(result, (list, tuple)):
        return [plain(each) for each in result]
    value = getattr(result, "value", result)
    if value is not result and hasattr(value, "value"):
        value = value.value
    if hasattr(value, "event"):
        return plain(value.event)
    return value if isinstance(value, (bool, int, float, str, type(None))) else repr(value)


def arguments(order):
    named = {
        name: datetime(*value, tzinfo=UTC) if name == "dt" else value for name, value in order.get("named", {}).items()
    }
    return order.get("args", []), named


def told(client, result):
    frames = [[pair.tx.data.hex(), pair.rx.data.hex() if pair.rx else None] for pair in client.get_captured_pairs()]
    client.clear_captured_messages()
    return {"value": plain(result), "frames": frames}


def one(door):
    from dlt645 import MeterClientService

    client = client_of(MeterClientService, door)
    client.enable_message_capture(CAPTURED_MAX)
    for line in sys.stdin:
        order = json.loads(line)
        args, named = arguments(order)
        print(json.dumps([told(client, getattr(client, order["call"])(*args, **named))]), flush=True)
    client.disconnect()


async def many(door, count):
    from dlt645.aio import AsyncMeterClientService

    clients = [client_of(AsyncMeterClientService, door) for _ in range(count)]
    for client in clients:
        client.enable_message_capture(CAPTURED_MAX)
        await client.connect()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = json.loads(line)
        args, named = arguments(order)
        results = await asyncio.gather(*(getattr(client, order["call"])(*args, **named) for client in clients))
        print(json.dumps([told(*each) for each in zip(clients, results, strict=True)]), flush=True)
    for client in clients:
        await client.disconnect()


if __name__ == "__main__":
    *door, how_many = sys.argv[1:]
    if int(how_many):
        asyncio.run(many(door, int(how_many)))
    else:
        one(door)
