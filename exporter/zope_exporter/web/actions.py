"""The routes that begin actions, and those that tell what became of them."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zope_exporter.config.actions import ACTIONS
from zope_exporter.maintenance.jobs.job import (
    JobRunner,
    Submission,
    TargetError,
    UnknownTargetError,
    choose_target,
)
from zope_exporter.system.state import StateError

from .api import API, RefusedRequestError, json_response, read_json, require_token
from .thread import in_thread
from .tokens import TokenFile, TokenOwner

_STATUSES = {"unknown": 404, "stopping": 503}
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")  # what SQLite can hold

Found = TypeVar("Found")


def action_routes(tokens: TokenFile, runner: JobRunner) -> list[Route]:
    """Return the routes of all actions and of the jobs."""
    return [
        *(_action_route(tokens, runner, action) for action in ACTIONS),
        *_job_routes(tokens, runner),
    ]


def _action_route(tokens: TokenFile, runner: JobRunner, action: str) -> Route:
    async def begin(request: Request, owner: TokenOwner) -> Response:
        site, database = _wanted(await read_json(request))
        work = partial(_submit, runner, action, site, database, f"token {owner.name}")
        submission = await in_thread(work)
        if submission.job is None:
            status = _STATUSES.get(submission.refusal, 409)
            return json_response({"error": submission.reason, "code": submission.refusal}, status)
        accepted = json_response(submission.job.as_json(), 202)
        accepted.headers["Location"] = f"{API}jobs/{submission.job.id}"
        return accepted

    return Route(f"{API}actions/{action}", require_token(tokens, action, begin), methods=["POST"])


def _job_routes(tokens: TokenFile, runner: JobRunner) -> list[Route]:
    async def jobs(_: Request, __: TokenOwner) -> Response:
        found = await in_thread(partial(_from_state, runner.jobs))
        return json_response({"jobs": [job.as_json() for job in found]})

    async def job(request: Request, _: TokenOwner) -> Response:
        number = request.path_params["number"]
        if not _NUMBER.fullmatch(number):
            raise RefusedRequestError(404, "no such job")
        found = await in_thread(partial(_from_state, partial(runner.job, int(number))))
        if found is None:
            raise RefusedRequestError(404, "no such job")
        return json_response(found.as_json())

    return [
        Route(f"{API}jobs", require_token(tokens, None, jobs), methods=["GET"]),
        Route(f"{API}jobs/{{number}}", require_token(tokens, None, job), methods=["GET"]),
    ]


def _wanted(body: dict[str, Any]) -> tuple[str | None, str | None]:
    if not body.keys() <= {"site", "database"}:
        raise RefusedRequestError(400, "the body may name site and database, and nothing else")
    site, database = body.get("site"), body.get("database")
    if not isinstance(site, str | None) or not isinstance(database, str | None):
        raise RefusedRequestError(400, "site and database must be text")
    return site, database


def _submit(
    runner: JobRunner, action: str, site: str | None, database: str | None, origin: str
) -> Submission:
    try:
        target = choose_target(runner.targets(action), site, database)
        return runner.submit(action, *target, origin)
    except UnknownTargetError as error:
        raise RefusedRequestError(404, str(error)) from None
    except TargetError as error:
        raise RefusedRequestError(400, str(error)) from None
    except StateError as error:
        raise RefusedRequestError(503, str(error)) from None


def _from_state(read: Callable[[], Found]) -> Found:
    try:
        return read()
    except StateError as error:
        raise RefusedRequestError(503, str(error)) from None
