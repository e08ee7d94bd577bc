"""The routes of the exporter."""

import gzip
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from zope_exporter.metrics.exposition import encode
from zope_exporter.metrics.registry import Scrape

from .api import API
from .health import OPEN_PATHS, health_routes
from .scrape_limit import ScrapeLimit
from .thread import in_thread

DEFAULT_TIMEOUT = 10.0  # what Prometheus waits unless told otherwise
MARGIN = 0.5  # for the way back
SHORTEST, LONGEST = 0.1, 60.0
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Scraped(Protocol):
    """What gives a page: the registry, or whoever remembers what came of it."""

    def scrape(self, timeout: float) -> Scrape: ...


def make_app(
    registry: Scraped,
    limit: ScrapeLimit,
    *,
    telemetry_path: str = "/metrics",
    routes: Sequence[BaseRoute] = (),
    is_ready: Callable[[], bool] = lambda: True,
    scraped_as: Callable[[str], object] = lambda _: None,
) -> Starlette:
    """Return the app; `routes` are further ones, such as that for `/`.

    `scraped_as` is told by which host and port each scrape has asked for this exporter.

    Raises ValueError for a telemetry path that cannot be one.
    """
    check_telemetry_path(telemetry_path)

    async def metrics(request: Request) -> Response:
        if request.method == "HEAD":
            return _head_of_metrics(request)
        scraped_as(request.headers.get("host", ""))
        with limit.slot() as free:
            if not free:
                return PlainTextResponse("Too many scrapes are running.\n", status_code=503)
            return await in_thread(partial(_scrape, registry, request))

    app = Starlette(
        routes=[
            *routes,
            Route(telemetry_path, metrics, methods=["GET"]),
            *health_routes(is_ready),
        ]
    )
    app.router.redirect_slashes = False  # the redirect would go wherever the Host header says
    return app


def check_telemetry_path(path: str) -> None:
    """Raise ValueError, naming flag and remedy, unless `path` can be the path of the metrics."""
    # There nobody is asked for a password.
    taken = path in OPEN_PATHS or path.startswith(API)
    if not path.startswith("/") or taken or not path.isascii() or set(path) & set("{}?#% "):
        raise ValueError(
            f"--web.telemetry-path: {path!r} cannot be used; give a plain path such as /metrics"
        )


def scrape_timeout(header: str | None) -> float:
    """Return the seconds a scrape may take, from `X-Prometheus-Scrape-Timeout-Seconds`."""
    try:
        seconds = float(header or "")
    except ValueError:
        seconds = DEFAULT_TIMEOUT
    if not 0 < seconds < math.inf:
        seconds = DEFAULT_TIMEOUT
    return min(max(seconds - MARGIN, SHORTEST), LONGEST)


def _scrape(registry: Scraped, request: Request) -> Response:
    headers = request.headers
    scrape = registry.scrape(scrape_timeout(headers.get("x-prometheus-scrape-timeout-seconds")))
    page, content_type = encode(scrape.samples, headers.get("accept", ""))
    answer = _headers(content_type)
    if _takes_gzip(headers.get("accept-encoding", "")):
        page = gzip.compress(page, compresslevel=1)  # a sixth larger than with 6, in a third
        answer["Content-Encoding"] = "gzip"
    return Response(page, headers=answer)


def _head_of_metrics(request: Request) -> Response:
    # Only a scrape could tell the length, and whoever asks for no page shall not cost one.
    _, content_type = encode((), request.headers.get("accept", ""))
    head = Response(headers=_headers(content_type))
    del head.headers["Content-Length"]
    return head


def _headers(content_type: str) -> dict[str, str]:
    return {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}


def _takes_gzip(accept_encoding: str) -> bool:
    for item in accept_encoding.lower().split(","):
        coding, _, weight = item.replace(" ", "").partition(";")
        if coding == "gzip":
            return weight.rstrip("0") not in {"q=", "q=0."}
    return False
