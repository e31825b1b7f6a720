"""The page over the fake meter, for looking at it: `python -m tests.apps.web.serve [PORT]`."""

from __future__ import annotations

import asyncio
import socket
import sys

from tests.apps.web.fake_face import FakeFace

from wattwheel.apps.web.server import WebServer


async def serve(port: int) -> None:
    face = FakeFace()
    server = WebServer(face)
    await server.start(socket.create_server(("127.0.0.1", port)))
    print(f"http://127.0.0.1:{port}", flush=True)
    while True:
        await asyncio.sleep(1)
        face.tick()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 8646))
