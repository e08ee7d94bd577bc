"""Visiting the ZMI of one Zope with the login of a Manager."""

import base64
import ssl
from collections.abc import Callable
from pathlib import Path

import httpx

from zope_exporter.clients.connection import left
from zope_exporter.clients.http.exchange import (
    FAILURES,
    BodyTooLargeError,
    Route,
    exchange,
    read_body,
)
from zope_exporter.clients.http.resolve import Resolver
from zope_exporter.discovery.inventory import ZmiLogin
from zope_exporter.system.foreign_file import ForeignFileError, read

from .pages import Page, ZmiError

_LONGEST_PASSWORD = 4096
_HEADERS = {"Accept-Encoding": "identity"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_MEANINGS = {
    401: "the ZMI refuses the login: check username and password_file under zmi:",
    403: "the ZMI refuses the login: its user has to be a Manager",
    404: "the ZMI has no such page: check url under zmi:",
}


class ZmiClient:
    """Visits pages of one Zope, each visit with the login; every method raises ZmiError.

    A redirect is never followed, so that the login goes nowhere else. `resolver` and `trust` can be
    shared by clients.
    """

    def __init__(
        self,
        login: ZmiLogin,
        resolver: Resolver | None = None,
        trust: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    ) -> None:
        self._login = login
        self._resolver = resolver or Resolver()
        self._trust = trust

    def get(self, page: Page, database: str = "", *, deadline: float) -> str:
        """The text of a page, before `deadline` (a time of the monotonic clock)."""
        status, body = self.ask("GET", page.path(database), deadline=deadline)
        if status != httpx.codes.OK:
            meaning = _MEANINGS.get(status, f"the ZMI answers with status {status}")
            raise ZmiError(f"{meaning} ({page.path(database)})")
        return body.decode("utf-8", "replace")

    def ask(
        self, method: str, path: str, body: bytes = b"", *, deadline: float
    ) -> tuple[int, bytes]:
        """Send a request below the root of this Zope; return status and body of the answer."""
        url = httpx.URL(f"{self._login.url.rstrip('/')}/{path}")
        headers = {"Authorization": self._authorization(), **_HEADERS, **(_FORM if body else {})}
        trust = self._trust() if url.scheme == "https" else None
        try:
            addresses = self._resolver.addresses(url.raw_host.decode("ascii"), left(deadline))
            route = Route(addresses, deadline)
            with exchange(route, method, url, headers, body, trust=trust) as response:
                return response.status, read_body(response, True, deadline)
        except TimeoutError:
            raise ZmiError("the ZMI does not answer in time") from None
        except BodyTooLargeError:
            raise ZmiError("the page of the ZMI is too large") from None
        except (*FAILURES, OSError, UnicodeError) as error:
            # Their texts may quote what was sent.
            raise ZmiError(f"the ZMI cannot be reached ({type(error).__name__})") from None

    def _authorization(self) -> str:
        credentials = f"{self._login.username}:{_password(self._login.password_file)}"
        return f"Basic {base64.b64encode(credentials.encode()).decode()}"


def _password(file: Path) -> str:
    """Read anew at each visit, for passwords change."""
    try:
        return read(file, _LONGEST_PASSWORD).decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ZmiError(f"{file}: is not text in UTF-8") from None
    except ForeignFileError as error:
        raise ZmiError(str(error)) from None
