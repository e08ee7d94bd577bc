"""Basic authentication, in front of every route but those that tell of health."""

import base64
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Mapping

import bcrypt
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zope_exporter.config.load import ConfigError

from .connections import address_of
from .health import HEALTHY, OPEN_PATHS
from .rate_limit import RateLimit
from .thread import in_thread
from .turns import BusyError, Turns
from .webconfig import WebConfigFile

LONGEST_PASSWORD = 72  # bytes bcrypt looks at; what follows them would count for nothing
MOST_WAITING = 32  # of one address: with hashes of cost 10, it waits 3 seconds
MOST_REMEMBERED = 100
_NOBODY = "cGicLBKJjOMLsXtHZbQdL.DmSUphd12kARtNpISvyjxXUw1yG/dl2"


class PasswordCheck:
    """Checks passwords, one at a time and beside the event loop, and remembers the right ones."""

    def __init__(self) -> None:
        self._turns = Turns(MOST_WAITING)
        self._secret = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()

    async def accepts(
        self, users: Mapping[str, str], authorization: str | None, address: str
    ) -> bool:
        """Tell whether an `Authorization` header holds the name and password of one of `users`.

        Raises BusyError rather than let the queue of its address grow; a password seen before
        never waits.
        """
        credentials = _credentials(authorization)
        if credentials is None:
            return False
        user, password = credentials
        hashed = users.get(user) or hash_of_nobody(users)
        login = self._digest(user.encode(), hashed.encode(), password)
        if login in self._right:
            self._right.move_to_end(login)
            return True
        return await self._matches(login, password, hashed.encode(), address) and user in users

    async def _matches(self, login: bytes, password: bytes, hashed: bytes, address: str) -> bool:
        async with self._turns.turn(address):
            right = login in self._right or await in_thread(
                lambda: bcrypt.checkpw(password, hashed)
            )
        if right:
            self._right[login] = None
            if len(self._right) > MOST_REMEMBERED:
                self._right.popitem(last=False)
        return right

    def _digest(self, *fields: bytes) -> bytes:
        # Each field with its length, so that no two logins share a key; with a secret, so that a
        # look into our memory does not give passwords away faster than bcrypt would.
        digest = hashlib.blake2b(key=self._secret)
        for field in fields:
            digest.update(len(field).to_bytes(8, "big") + field)
        return digest.digest()


class Guard:
    """ASGI middleware that does to every request what the web configuration says now.

    Paths that begin with `token_prefix` ask for a token themselves: a request has room for one
    `Authorization` only, so they are spared the password. So are those that tell of health: what
    asks there has no password, and learns nothing. A broken file makes the exporter useless, but
    not unhealthy: whoever started it anew for that would have none at all.
    """

    def __init__(
        self, app: ASGIApp, config: WebConfigFile, token_prefix: str | None = None
    ) -> None:
        self._app = app
        self._config = config
        self._token_prefix = token_prefix
        self._check = PasswordCheck()
        self._rate_limit = RateLimit()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            config = self._config.current()
        except ConfigError:
            if scope["path"] == HEALTHY:
                return await self._app(scope, receive, send)
            broken = PlainTextResponse("The web configuration is broken; see the log.\n", 500)
            return await broken(scope, receive, send)
        if scope["path"] not in OPEN_PATHS and not self._rate_limit.allows(config.rate_limit):
            return await PlainTextResponse("Too many requests.\n", 429)(scope, receive, send)
        headers = config.http_server_config.headers

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers)
            await send(message)

        spared = self._is_spared(scope["path"])
        refusal = None if spared else await self._refusal(config.basic_auth_users, scope)
        answer = refusal or self._app
        return await answer(scope, receive, send_with_headers)

    def _is_spared(self, path: str) -> bool:
        own = self._token_prefix is not None and path.startswith(self._token_prefix)
        return own or path in OPEN_PATHS

    async def _refusal(self, users: Mapping[str, str], scope: Scope) -> PlainTextResponse | None:
        try:
            if not users or await self._check.accepts(
                users, Headers(scope=scope).get("authorization"), address_of(scope.get("client"))
            ):
                return None
        except BusyError:
            return PlainTextResponse("Too many logins are being checked.\n", 503)
        challenge = {"WWW-Authenticate": 'Basic realm="zope-exporter", charset="UTF-8"'}
        return PlainTextResponse("Name and password are required.\n", 401, headers=challenge)


def hash_of_nobody(users: Mapping[str, str]) -> str:
    """Return a hash of no password, as dear as those of `users`: an unknown name shall not show."""
    cost = next(iter(users.values()))[4:6]
    return f"$2b${cost}${_NOBODY}"


def _credentials(authorization: str | None) -> tuple[str, bytes] | None:
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(token.strip(), validate=True).partition(b":")
        user = name.decode()
    except ValueError:
        return None
    if not colon or len(password) > LONGEST_PASSWORD or b"\0" in password:
        return None
    return user, password
