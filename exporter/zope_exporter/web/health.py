"""Whether the exporter is healthy and ready, for whatever watches over it and has no password."""

import asyncio
import logging
from collections.abc import Callable
from typing import cast

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

log = logging.getLogger(__name__)

HEALTHY = "/-/healthy"
READY = "/-/ready"
OPEN_PATHS = frozenset({HEALTHY, READY})


def health_routes(is_ready: Callable[[], bool]) -> list[Route]:
    """Return the two routes. They say a fixed word and nothing of what is watched: see OPEN_PATHS.

    It is healthy whenever it answers, and ready once there is something to scrape.
    """

    async def healthy(_: Request) -> Response:
        return PlainTextResponse("zope-exporter is healthy.\n")

    async def ready(_: Request) -> Response:
        if is_ready():
            return PlainTextResponse("zope-exporter is ready.\n")
        return PlainTextResponse("zope-exporter is not ready.\n", status_code=503)

    return [Route(HEALTHY, healthy, methods=["GET"]), Route(READY, ready, methods=["GET"])]


class HealthSocket:
    """Tells whoever connects to an abstract Unix socket the words that are true, and hangs up.

    Nothing is read there, so that nothing can be asked for. The event loop of the web server
    answers: a server that is stuck does not.
    """

    def __init__(self, name: str, is_ready: Callable[[], bool]) -> None:
        self._name = name
        self._is_ready = is_ready
        self._server: asyncio.Server | None = None

    async def start(self, is_healthy: Callable[[], bool]) -> None:
        """Listen; where that is impossible, log why."""

        def words() -> str:
            true = {"healthy": is_healthy(), "ready": is_healthy() and self._is_ready()}
            return "".join(f"{word}\n" for word, is_so in true.items() if is_so)

        try:
            self._server = await asyncio.get_running_loop().create_unix_server(
                lambda: _StateReply(words), self._name
            )
        except OSError as error:
            log.warning("health checks of the container will fail: %s", error)

    def stop(self) -> None:
        if self._server is not None:
            self._server.close()


class _StateReply(asyncio.Protocol):
    def __init__(self, words: Callable[[], str]) -> None:
        self._words = words

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        writing = cast("asyncio.WriteTransport", transport)
        writing.write(self._words().encode())
        writing.close()
