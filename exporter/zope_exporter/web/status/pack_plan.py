"""What `plan pack` says, for the dialogue of the page: looked up when somebody asks for it."""

import json
from collections.abc import Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zope_exporter.config.actions import PACK
from zope_exporter.maintenance.jobs.lower_priority import lower_priority
from zope_exporter.maintenance.jobs.report import ActionError
from zope_exporter.maintenance.plan import Plan

from .page import HEADERS, Shared
from .view import Offers

PLAN = "/-/plan/pack"


def plan_routes(plan: Callable[[str, str], Plan], offered: Callable[[], Offers]) -> list[Route]:
    """Return the route of the plan to pack a database of a site, both in the query.

    As the page, it tells whoever may see it; for all who ask, one looks at a database at a time,
    and what was seen is told for some seconds.
    """
    plans: dict[tuple[str, str], Shared] = {}

    async def told(request: Request) -> Response:
        query = request.query_params
        of = query.get("site", ""), query.get("database", "")
        if (PACK, *of) not in offered().allowed:
            return Response("no pack of this is offered\n", 404, HEADERS, "text/plain")
        shared = plans.setdefault(of, Shared(partial(_lines, plan, *of), lambda: None))
        return Response(await shared.page(), 200, HEADERS, "application/json")

    return [Route(PLAN, told, methods=["GET"])]


def _lines(plan: Callable[[str, str], Plan], site: str, database: str) -> str:
    lower_priority()  # of this thread, which is there for this alone
    try:
        lines = [*plan(site, database).told()]
    except ActionError as error:
        lines = [("refused", str(error))]
    return json.dumps(lines)
