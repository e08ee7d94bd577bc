"""What the requests of a Zope that take long are doing, for those who hold a token."""

from collections.abc import Callable
from dataclasses import asdict
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zope_exporter.clients.agent.answer import AgentError
from zope_exporter.clients.agent.diagnosis import NoAgentError, client_of
from zope_exporter.discovery.inventory import Inventory, Service

from .api import API, RefusedRequestError, json_response, require_token
from .thread import in_thread
from .tokens import TokenFile, TokenOwner

TIMEOUT = 5.0


def instance_routes(
    inventory: Callable[[], Inventory], tokens: TokenFile, timeout: float = TIMEOUT
) -> list[Route]:
    """Return the routes about single Zopes; `timeout` is what its agent is given to answer."""

    async def requests(request: Request, _: TokenOwner) -> Response:
        name, site = request.path_params["name"], request.query_params.get("site")
        return await in_thread(lambda: _long_requests(inventory(), name, site, timeout))

    endpoint = require_token(tokens, "requests", requests)
    return [Route(f"{API}instances/{{name:path}}/requests", endpoint, methods=["GET"])]


def _long_requests(
    inventory: Inventory, name: str, site_name: str | None, timeout: float
) -> Response:
    site, service = _find(inventory, name, site_name)
    try:
        found = client_of(service, timeout).requests()
    except NoAgentError as error:
        raise RefusedRequestError(503, f"{site}/{name} has {error}") from None
    except AgentError as error:
        raise RefusedRequestError(502, f"{site}/{name}: {error}") from None
    requests = [asdict(request) for request in found]
    return json_response({"site": site, "zope": name, "requests": requests})


def _find(inventory: Inventory, name: str, site_name: str | None) -> tuple[str, Service]:
    found = [
        (site, zope)
        for site, zope in inventory.serving()
        if zope.name == name and site_name in (None, site)
    ]
    if not found:
        raise RefusedRequestError(404, "there is no Zope of this name")
    if len(found) > 1:
        sites = " or ".join(f"?site={quote(site)}" for site, _ in found)
        raise RefusedRequestError(409, f"there are several Zopes of this name: add {sites}")
    return found[0]
