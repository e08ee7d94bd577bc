"""The last error in each event log of a site, for those who hold a token."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zope_exporter.logs.event.last_error import LOOKED_AT, last_error
from zope_exporter.logs.tail.sources import LogSource
from zope_exporter.system.humanize import size

from .api import API, RefusedRequestError, json_response, require_token
from .thread import in_thread
from .tokens import TokenFile, TokenOwner

TIMEOUT = 5.0


def last_error_routes(
    sources: Callable[[], Sequence[LogSource]], tokens: TokenFile, timeout: float = TIMEOUT
) -> list[Route]:
    """Return the route about the errors of a site.

    `sources` are the logs that are followed; `timeout` is how many seconds a log may take to be
    read. What is written of an error may name people, and no metric or page has it: it is read
    from the file when somebody asks.
    """

    async def errors(request: Request, _: TokenOwner) -> Response:
        site = request.path_params["site"]
        logs = [log for log in sources() if log.site == site and log.kind == "event"]
        if not logs:
            raise RefusedRequestError(404, "there is no site of this name with an event log")
        # Each by its own thread, so that one that hangs costs nobody else's answer.
        found = await asyncio.gather(*(_last_error(log, timeout) for log in logs))
        return json_response({"site": site, "logs": found})

    endpoint = require_token(tokens, "errors", errors)
    return [Route(f"{API}sites/{{site:path}}/errors", endpoint, methods=["GET"])]


async def _last_error(log: LogSource, timeout: float) -> dict[str, Any]:
    problem = ""
    try:
        record = await asyncio.wait_for(in_thread(lambda: _read(log)), timeout)
        if record is None:
            problem = f"no error in its last {size(LOOKED_AT)}"
    except asyncio.TimeoutError:
        record, problem = None, f"the file system did not answer within {timeout:g} s"
    except OSError as error:
        record, problem = None, error.strerror or "it cannot be read"
    except ValueError as error:
        record, problem = None, f"its format {error}"
    return {"log": log.log, "path": str(log.path), "record": record, "problem": problem}


def _read(log: LogSource) -> str | None:
    return last_error(log.path, log.format, log.date_format, log.shared)
