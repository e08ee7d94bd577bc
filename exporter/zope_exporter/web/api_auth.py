"""The front door of the API: what a request must show before anything is done for it."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from zope_exporter.config.document import ConfigError

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


def answer(content: object, status: int = 200) -> Response:
    """Return an answer of the API."""
    return JSONResponse(content, status, headers=_HEADERS)


def protected(
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
            return await handler(request, _holder(tokens, permission, request))
        except RefusedRequestError as error:
            refusal = answer({"error": error.reason}, error.status)
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


def _holder(tokens: TokenFile, permission: str | None, request: Request) -> TokenOwner:
    try:
        holder = tokens.holder(request.headers.get("authorization"))
    except ConfigError:
        raise RefusedRequestError(500, "the token file is broken; see the log") from None
    if holder is None:
        raise RefusedRequestError(401, "a token is required: Authorization: Bearer TOKEN")
    if permission is not None and not holder.may(permission):
        raise RefusedRequestError(403, f"this token does not allow {permission}")
    return holder
