"""The bodies of requests: JSON, read no further than allowed and believed in no point."""

import json
from typing import Any, NoReturn

from starlette.requests import ClientDisconnect, Request

from .api_auth import LONGEST_BODY, RefusedRequestError


async def read_json(request: Request, longest: int = LONGEST_BODY) -> dict[str, Any]:
    """Return the object in the body of a request, an empty one if there is no body at all.

    Raises RefusedRequestError.
    """
    headers = request.headers
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        if "content-type" in headers:
            _check_type(request)
        return {}
    _check_type(request)
    return parse_object(await _read(request, longest))


def parse_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in `body`.

    Raises RefusedRequestError for anything else, and for what parsers understand differently:
    names given twice, NaN, infinities, and text that is no Unicode.
    """
    try:
        found = json.loads(
            body.decode(), parse_constant=_no_number, object_pairs_hook=_without_duplicates
        )
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError:
        raise RefusedRequestError(400, "the body is nested too deeply") from None
    except ValueError as error:
        reason = error.args[0] if isinstance(error, _JsonError) else "the body is not JSON"
        raise RefusedRequestError(400, reason) from None
    if not isinstance(found, dict):
        raise RefusedRequestError(400, "the body is not a JSON object")
    return found


class _JsonError(ValueError):
    """Something JSON parsers let pass; the text holds nothing of the body."""


def _check_type(request: Request) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        # A form of a foreign page can send other types without asking.
        raise RefusedRequestError(415, "the body must be application/json")


async def _read(request: Request, longest: int) -> bytes:
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > longest:
                raise RefusedRequestError(413, f"the body is longer than {longest} bytes")
    except ClientDisconnect:
        raise RefusedRequestError(400, "the body is incomplete") from None
    return bytes(body)


def _no_number(_: str) -> NoReturn:
    raise _JsonError("the body holds a number that is none")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _JsonError("the body gives a name twice")
    return found
