"""A Zope as its manager sees it: over HTTP."""

import time
from collections.abc import Callable
from typing import TypeVar

import httpx

MANAGER = ("admin", "secret")
T = TypeVar("T")


def undisturbed(look: Callable[[], T], is_alone: Callable[[T], bool]) -> T:
    """What a look gave while nobody else asked the Zope for a page; after two minutes, the last.

    Whatever else watches this host, such as an exporter of another test, may do so at any time.
    """
    end = time.monotonic() + 120
    while not is_alone(found := look()) and time.monotonic() < end:
        pass
    return found


class Site:
    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def get(self, path: str, timeout: float = 30) -> httpx.Response:
        with self._client(timeout) as client:
            return client.get(path)

    def post(self, path: str, form: dict[str, str], timeout: float = 30) -> httpx.Response:
        with self._client(timeout) as client:
            return client.post(path, data=form)

    def answers(self) -> bool:
        try:
            return self.get("/", timeout=10).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def commit(self, names: list[str], text: str = "some text") -> None:
        """Add a DTML Method of each name to the root, each in a transaction of its own."""
        with self._client(30) as client:
            for name in names:
                form = {"id": name, "title": "", "file": text}
                added = client.post("/manage_addDTMLMethod", data=form)
                assert added.is_redirect, added.text

    def _client(self, timeout: float) -> httpx.Client:
        return httpx.Client(
            base_url=self.url, auth=MANAGER, timeout=timeout, trust_env=False, verify=False
        )
