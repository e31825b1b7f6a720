"""The application: routes, page and guard put together."""

from __future__ import annotations

from collections.abc import Collection

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wattwheel.apps.web import assets, openapi
from wattwheel.apps.web.api import FAULTS, Api, answer
from wattwheel.apps.web.face import MeterFace
from wattwheel.apps.web.guard import Guard, fault
from wattwheel.apps.web.live import Hub
from wattwheel.apps.web.page import Page
from wattwheel.model.errors import WattwheelError

CACHE = "no-cache"
"""Assets are kept but asked for again, which costs one 304; a new version shows at once."""


class Pages:
    """The page itself, its assets and the description of the API."""

    def __init__(self, face: MeterFace) -> None:
        self._face = face
        self._assets = assets.load()
        self._page = Page(assets.page_template())

    async def page(self, request: Request) -> Response:
        """GET /: the page, with the values of this moment already in it."""
        try:
            rows = await self._face.rows("")
        except WattwheelError:
            rows = []
        html = self._page.text(rows, self._face.status())
        return Response(html, 200, {"Cache-Control": "no-store"}, "text/html; charset=utf-8")

    async def asset(self, request: Request) -> Response:
        """GET /static/NAME: one of the fixed files."""
        asset = self._assets.get(request.path_params["name"])
        if asset is None:
            return fault(404, "there is no such file")
        headers = {"Cache-Control": CACHE, "ETag": asset.etag}
        if request.headers.get("if-none-match") == asset.etag:
            return Response(None, 304, headers)
        return Response(asset.octets, 200, {**headers, "Content-Type": asset.kind})

    async def openapi(self, request: Request) -> Response:
        """GET /openapi.json: the description of the API."""
        return answer(openapi.document(str(self._face.status().get("version", "0"))))


def app(face: MeterFace, names: Collection[str] = ()) -> Starlette:
    """The page and its API over `face`; all files are read here, none later.

    Args:
        face: the meter.
        names: host names under which the page may be asked for, beside localhost and address literals.

    The hub of the live streams is `app(...).state.hub`; close it before the server stops.
    """
    hub = Hub(face)
    api, pages = Api(face, hub), Pages(face)
    routes = [
        Route("/", pages.page),
        Route("/static/{name:path}", pages.asset),
        Route("/openapi.json", pages.openapi),
        Route("/api/items", api.items),
        Route("/api/items/{item}", api.item),
        Route("/api/status", api.status),
        Route("/api/partitions", api.partitions),
        Route("/api/bus", api.bus),
        Route("/api/display", api.display),
        Route("/api/load", api.load),
        Route("/api/waveform", api.waveform),
        Route("/api/live", api.live),
        Route("/api/press", api.press, methods=["POST"]),
    ]
    site = Starlette(routes=routes, middleware=[Middleware(Guard, names=names)], exception_handlers=FAULTS)
    site.router.redirect_slashes = False
    site.state.hub = hub
    return site
