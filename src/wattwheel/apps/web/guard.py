"""What stands before every request: the Host check and the security headers; and the check on requests that act."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_address

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Sent with every answer."""


def fault(status: int, sentence: str, headers: dict[str, str] | None = None, **more: object) -> JSONResponse:
    """The answer `{"error": sentence, ...more}`."""
    return JSONResponse({"error": sentence, **more}, status, {"Cache-Control": "no-store", **(headers or {})})


def host_allowed(host: str, names: Collection[str]) -> bool:
    """Whether a request's Host may be served: an address literal, localhost, or one of `names`.

    A page of a foreign site that points its own name at this machine (DNS rebinding) comes with that name, so names
    are refused unless they were configured; a literal address cannot be rebound.
    """
    name = host.strip().lower()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") == 1:
        name = name.partition(":")[0]
    if name == "localhost" or name in names:
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def cross_site_fault(headers: Headers) -> JSONResponse | None:
    """The refusal for a request that acts on the meter but was not made by our own page or a plain program.

    A form of a foreign page cannot send application/json without asking first, and a browser always tells the origin.
    """
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return fault(415, "the body must be JSON: send Content-Type: application/json")
    origin, host = headers.get("origin"), headers.get("host", "")
    if origin is not None and origin.partition("://")[2].lower() != host.lower():
        return fault(403, f"a page of {origin} may not act on this meter")
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return fault(403, "a page of another site may not act on this meter")
    return None


class Guard:
    """ASGI middleware: refuses foreign Host names, adds `SECURITY_HEADERS` to every answer."""

    def __init__(self, app: ASGIApp, names: Collection[str] = ()) -> None:
        self._app = app
        self._names = frozenset(name.lower() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SECURITY_HEADERS)
            await send(message)

        host = Headers(scope=scope).get("host", "")
        if host_allowed(host, self._names):
            await self._app(scope, receive, guarded_send)
        else:
            sentence = f"{host!r} is not a name of this meter; ask by its address, or add the name to the settings"
            await fault(421, sentence)(scope, receive, guarded_send)
