"""What all routes of the API have in common: the token they require, JSON in and JSON out."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from zope_exporter.config.load import ConfigError

from .tokens import TokenFile, TokenOwner

API = "/api/v1/"
LONGEST_BODY = 65536  # bytes, unless a route says otherwise
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="zope-exporter"'}

Handler = Callable[[Request, TokenOwner], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


class RefusedRequestError(Exception):
    """A request is not granted: the status to answer with, and the reason for a person."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        self.reason = reason
        super().__init__(reason)


def json_response(content: object, status: int = 200) -> Response:
    """Return an answer of the API."""
    return JSONResponse(content, status, headers=_HEADERS)


def require_token(
    tokens: TokenFile, permission: str | None, handler: Handler, longest: int = LONGEST_BODY
) -> Endpoint:
    """Return an endpoint that calls `handler` only for who holds a token with the permission.

    Without a permission any token will do. `longest` is how many bytes of body are taken at most.
    What the handler raises as RefusedRequestError is answered as it says.
    """

    async def endpoint(request: Request) -> Response:
        try:
            _check_length(request, longest)
            _check_origin(request)
            return await handler(request, _owner(tokens, permission, request))
        except RefusedRequestError as error:
            refusal = json_response({"error": error.reason}, error.status)
            if error.status == 401:
                refusal.headers.update(_CHALLENGE)
            return refusal

    return endpoint


def _check_length(request: Request, longest: int) -> None:
    # What is not announced is cut off while it is read.
    if int(request.headers.get("content-length", 0)) > longest:
        raise RefusedRequestError(413, f"the body is longer than {longest} bytes")


def _check_origin(request: Request) -> None:
    # Only browsers send these, and only our own page may have them make requests. Over plain HTTP
    # they do not send the first.
    headers = request.headers
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    foreign = origin is not None and origin.partition("://")[2] != headers.get("host")
    if foreign or site not in {None, "none", "same-origin"}:
        raise RefusedRequestError(403, "the API is not for other web pages")


def _owner(tokens: TokenFile, permission: str | None, request: Request) -> TokenOwner:
    try:
        owner = tokens.owner(request.headers.get("authorization"))
    except ConfigError:
        raise RefusedRequestError(500, "the token file is broken; see the log") from None
    if owner is None:
        raise RefusedRequestError(401, "a token is required: Authorization: Bearer TOKEN")
    if permission is not None and not owner.may(permission):
        raise RefusedRequestError(403, f"this token does not allow {permission}")
    return owner


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
    return parse_object(await _read_body(request, longest))


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


async def _read_body(request: Request, longest: int) -> bytes:
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
