"""What an access log is counted by: method, status code, and bytes of the response."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from .durations import Duration, Durations

METHODS = frozenset(
    {
        *("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"),
        *("PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK"),
    }
)
OTHER = "other"  # a client may send any word for a method
CODES = range(100, 600)
_MAX_SIZE_DIGITS = 18  # a longer one is no size, and Python refuses to read very long ones


class Request(NamedTuple):
    """A request as its log line has it; `size` is 0 where the line has `-`."""

    method: str
    code: int
    size: int
    duration: Duration | None = None


@dataclass
class RequestCounts:
    """The requests of a log, and the lines that tell of none."""

    requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    response_bytes: int = 0
    unparsed: int = 0
    durations: Durations = field(default_factory=Durations)

    def add(self, request: Request | None) -> None:
        if request is None:
            self.unparsed += 1
        else:
            self.requests[request.method, request.code] += 1
            self.response_bytes += request.size
            self.durations.add((request.duration,))


def make_request(method: bytes, code: bytes, size: bytes) -> Request | None:
    """Make a request of the words of a line; None if status or size cannot be one."""
    if size == b"-":
        size = b"0"
    if int(code) not in CODES or not size.isdigit() or len(size) > _MAX_SIZE_DIGITS:
        return None
    name = method.decode("latin-1")
    return Request(name if name in METHODS else OTHER, int(code), int(size))
