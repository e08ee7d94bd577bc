"""Resolving host names within a deadline."""

import ipaddress
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any

GetAddrInfo = Callable[..., list[tuple[Any, ...]]]


class Resolver:
    """Resolves with the system's resolver, which can be neither cancelled nor given a deadline.

    So it works in a thread of its own, one for each host however many probes want it: a resolver
    that hangs costs one thread for each host, not one for each scrape.
    """

    def __init__(self, getaddrinfo: GetAddrInfo = socket.getaddrinfo) -> None:
        self._getaddrinfo = getaddrinfo
        self._lock = threading.Lock()
        self._running: dict[str, Future[list[str]]] = {}

    def addresses(self, host: str, timeout: float) -> list[str]:
        """Return the addresses of a host, the system's preference first.

        Raises TimeoutError after `timeout` seconds, another OSError or a UnicodeError when the name
        has no address or cannot have one.
        """
        if _is_address(host):
            return [host]
        with self._lock:
            answer = self._running.get(host)
            if answer is None:
                answer = self._start(host)
        wait([answer], timeout)
        if not answer.done():
            raise TimeoutError("no answer from the resolver in time")
        return answer.result()

    def _start(self, host: str) -> "Future[list[str]]":
        answer: Future[list[str]] = Future()
        thread = threading.Thread(
            target=self._work, args=(host, answer), name="resolve", daemon=True
        )
        thread.start()
        self._running[host] = answer
        return answer

    def _work(self, host: str, answer: "Future[list[str]]") -> None:
        try:
            found = self._getaddrinfo(host, None, type=socket.SOCK_STREAM)
            outcome: list[str] | Exception = list(dict.fromkeys(entry[4][0] for entry in found))
        except Exception as error:  # belongs to those who wait, and must not leave them waiting
            outcome = error
        with self._lock:
            del self._running[host]
        if isinstance(outcome, Exception):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
