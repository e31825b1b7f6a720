"""The endpoints below /api: what they take, what they answer, what a fault looks like."""

from __future__ import annotations

import asyncio
import string
from typing import Annotated, Literal

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ExceptionHandler

from wattwheel.apps.web.face import BUTTONS, MeterFace
from wattwheel.apps.web.guard import SECURITY_HEADERS, cross_site_fault, fault
from wattwheel.apps.web.live import EXTRAS, Hub, LiveStream
from wattwheel.model.display import Lcd
from wattwheel.model.errors import NotAnswered, Refused, UnknownItem

MAX_ITEM_CHARACTERS = 80
"""Longest identifier or name that is looked up."""

MAX_PREFIX_DIGITS = 8
"""A whole identifier."""

MAX_BODY_OCTETS = 1024
"""Longest request body."""

BODY_PATIENCE_S = 5.0
"""A request body must be here by then."""

LONG_S = 3.0
"""A long press."""

NO_REQUESTED_DATA = 0x02
"""Bit of the error octet ERR: the meter has no such data (DL/T 645-2007, error information word)."""

_JSON = msgspec.json.Encoder()
_ITEM_CHARACTERS = frozenset(string.ascii_letters + string.digits + "_")


class Press(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A button to press: for so many `seconds`; `long` stands for three of them."""

    button: Literal["program", "up", "down", "both"]
    long: bool = False
    seconds: Annotated[float, msgspec.Meta(ge=0, le=60)] = 0.0


class Pressed(msgspec.Struct, frozen=True):
    """The button that was pressed, and what the display shows after it."""

    pressed: str
    display: Lcd | None


def answer(content: object) -> Response:
    """A good JSON answer; never stored, for it is old a second later."""
    return Response(_JSON.encode(content), 200, {"Cache-Control": "no-store"}, "application/json")


class Api:
    """The endpoints, over one meter and one hub."""

    def __init__(self, face: MeterFace, hub: Hub) -> None:
        self._face, self._hub = face, hub

    async def items(self, request: Request) -> Response:
        """GET /api/items?prefix=02: the rows whose identifier starts with the prefix."""
        prefix = request.query_params.get("prefix", "").upper()
        if len(prefix) > MAX_PREFIX_DIGITS or not set(prefix) <= set("0123456789ABCDEF"):
            return fault(400, f"prefix: found {prefix[:20]!r}; allowed: 0 to 8 hex digits")
        return answer(await self._face.rows(prefix))

    async def item(self, request: Request) -> Response:
        """GET /api/items/02010100: one value row, by identifier or name."""
        text = request.path_params["item"]
        if len(text) > MAX_ITEM_CHARACTERS or not set(text) <= _ITEM_CHARACTERS:
            raise UnknownItem(text[:MAX_ITEM_CHARACTERS], "ask for 8 hex digits or a name such as voltage_a")
        return answer(await self._face.row(text))

    async def status(self, request: Request) -> Response:
        """GET /api/status: the document of `wattwheel status --json`."""
        return answer(self._face.status())

    async def partitions(self, request: Request) -> Response:
        """GET /api/partitions: the rows of `wattwheel ps --json`."""
        return answer(self._face.partitions())

    async def bus(self, request: Request) -> Response:
        """GET /api/bus: the rows of `wattwheel bus --json`."""
        return answer(self._face.channels())

    async def display(self, request: Request) -> Response:
        """GET /api/display: what the display shows now."""
        return answer(self._face.display())

    async def load(self, request: Request) -> Response:
        """GET /api/load: total active power of the last minute."""
        return answer(self._face.load())

    async def waveform(self, request: Request) -> Response:
        """GET /api/waveform: the newest cycle of every phase."""
        return answer(await self._face.waveform())

    async def live(self, request: Request) -> Response:
        """GET /api/live: server-sent events, with the extra events that `with=` names."""
        wanted = [name for name in request.query_params.get("with", "").split(",") if name]
        if not set(wanted) <= set(EXTRAS):
            return fault(400, f"with: found {','.join(wanted)[:40]!r}; allowed: any of {','.join(EXTRAS)}")
        return LiveStream(self._hub, wanted)

    async def press(self, request: Request) -> Response:
        """POST /api/press {"button": "up"}: press a button of the meter."""
        if (refusal := cross_site_fault(request.headers)) is not None:
            return refusal
        try:
            body = await asyncio.wait_for(_body(request), BODY_PATIENCE_S)
            press = msgspec.json.decode(body, type=Press)
        except TimeoutError:
            return fault(408, f"the body did not come within {BODY_PATIENCE_S:.0f} s")
        except _BodyTooLongError:
            return fault(413, f"the body is longer than {MAX_BODY_OCTETS} octets")
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            sentence = f'{error}; send {{"button": "up"}}, the button one of {", ".join(BUTTONS)}'
            return fault(400, sentence)
        await self._face.press(press.button, max(press.seconds, LONG_S if press.long else 0.0))
        return answer(Pressed(press.button, self._face.display()))


class _BodyTooLongError(Exception):
    """The body has more than `MAX_BODY_OCTETS`."""


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY_OCTETS:
            raise _BodyTooLongError
    return bytes(body)


async def _unknown_item(request: Request, error: Exception) -> Response:
    return fault(404, str(error))


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    status = 404 if error.error_octet & NO_REQUESTED_DATA else 502
    return fault(status, f"the meter refused: {error}", error_octet=error.error_octet)


async def _not_answered(request: Request, error: Exception) -> Response:
    return fault(504, f"the meter did not answer: {error}")


async def _nobody_listens(request: Request, error: Exception) -> Response:
    return fault(400, "the request ended before its body did")


async def _http_fault(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    sentences = {
        404: f"there is nothing at {request.url.path[:MAX_ITEM_CHARACTERS]}; GET /openapi.json lists what there is",
        405: f"{request.method} is not possible here",
    }
    return fault(error.status_code, sentences.get(error.status_code, error.detail), dict(error.headers or {}))


async def _broken(request: Request, error: Exception) -> Response:
    sentence = "the page's server made a mistake and has written it to its log"
    return JSONResponse({"error": sentence}, 500, SECURITY_HEADERS)


FAULTS: dict[type[Exception], ExceptionHandler] = {
    UnknownItem: _unknown_item,
    Refused: _refused,
    NotAnswered: _not_answered,
    ClientDisconnect: _nobody_listens,
    HTTPException: _http_fault,
    Exception: _broken,
}
"""What each exception becomes on the wire."""
