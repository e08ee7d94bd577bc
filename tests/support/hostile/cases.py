"""What a probe must find out about each hostile target."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zope_exporter.clients.http.result import Reason
from zope_exporter.discovery.inventory import Target

_FEW_SECONDS = 3.0  # for a target from which nothing ever comes
_MANY_SECONDS = 20.0  # for a target that must not time out, however slow the machine


@dataclass(frozen=True)
class Case:
    """A hostile target, and the reason (None for up) and the status a probe of it must give."""

    name: str
    url: str
    reason: Reason | None
    status: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def target(self, ports: Mapping[str, int], patience: float | None = None) -> Target:
        """Make the target; `patience` is the timeout (seconds) where only that ends the probe.

        Unless told, an answer that begins before its time is up has time enough to begin.
        """
        if self.reason != "timeout":
            patience = _MANY_SECONDS
        elif patience is None:
            patience = _FEW_SECONDS if self.status is None else _MANY_SECONDS
        return Target(self.name, self.url.format(**ports), timeout=patience, **self.options)


def _path(name: str, reason: Reason | None, status: int | None = None, **options: Any) -> Case:
    return Case(name, f"http://127.0.0.1:{{plain}}/{name}", reason, status, options)


def _redirect(name: str, location: str, status: int = 302) -> Case:
    url = f"http://127.0.0.1:{{plain}}/redirect?{location}"
    return Case(name, url, None if status == 200 else "redirect", status)


CASES = (
    _path("ok", None, 200, expect="1"),
    _path("body-drip", "timeout", 200),
    _path("header-drip", "timeout"),
    _path("silent", "timeout"),
    _path("closed", "protocol"),
    _path("reset", "protocol"),
    _path("infinite-body", "body_too_large", 200, expect="1"),
    _path("chunk-dust", "timeout", 200),
    _path("infinite-headers", "protocol"),
    _path("infinite-header", "protocol"),
    _path("infinite-chunk-header", "protocol", 200),
    _path("infinite-trailers", "protocol", 200),
    _path("continue-flood", "timeout"),
    _path("continues", None, 200, expect="1"),
    _path("gzip-bomb", "encoding", 200, expect="1"),
    _path("gzip", "encoding", 200, expect_regex="1"),
    _path("short-body", "protocol", 200),
    _path("bad-chunk", "protocol", 200),
    _path("bad-length", "protocol"),
    _path("not-http", "protocol"),
    _path("switching", "protocol"),
    _path("500", "status", 500, expect="1"),
    _path("404", "status", 404),
    _path("999", "status", 999),
    _path("redirect-loop", "redirect", 302),
    _redirect("redirected-five-times", "/redirect?" * 4 + "/ok", 200),
    _redirect("redirected-six-times", "/redirect?" * 5 + "/ok"),
    _redirect("redirect-file", "file:///etc/passwd"),
    _redirect("redirect-elsewhere", "http://127.0.0.2:{elsewhere}/ok"),
    _redirect("redirect-other-port", "http://127.0.0.1:{trusted}/ok"),
    _redirect("redirect-junk", "http://[::1"),
    _redirect("redirect-same-host", "ok", 200),
    _redirect("redirect-to-tls", "https://127.0.0.1:{trusted}/ok", 200),
    Case("infinite-body-unread", "http://127.0.0.1:{plain}/infinite-body", None, 200),
    Case("gzip-bomb-unread", "http://127.0.0.1:{plain}/gzip-bomb", None, 200),
    Case("wrong-content", "http://127.0.0.1:{plain}/ok", "content", 200, {"expect": "2"}),
    Case(
        "default-redirected",
        "http://127.0.0.1:{plain}/redirect?http://127.0.0.2:{elsewhere}/ok",
        None,
        302,
        {"any_answer": True},
    ),
    Case("default-refusing", "http://127.0.0.1:{plain}/404", None, 404, {"any_answer": True}),
    Case("default-failing", "http://127.0.0.1:{plain}/500", "status", 500, {"any_answer": True}),
    Case("backlog-full", "http://127.0.0.1:{full}/", "timeout"),
    Case("refused", "http://127.0.0.1:{refused}/", "refused"),
    Case("no-network", "http://255.255.255.255:1/", "connect"),
    Case("no-such-name", "http://nowhere.invalid:{plain}/ok", "dns"),
    Case("silent-dns", "http://silent.test:{plain}/ok", "timeout"),
    Case("tls", "https://127.0.0.1:{trusted}/ok", None, 200, {"expect": "1"}),
    Case("tls-by-name", "https://good.test:{trusted}/ok", None, 200, {"expect": "1"}),
    Case("tls-silent", "https://127.0.0.1:{mute}/", "timeout"),
    Case("tls-not-spoken", "https://127.0.0.1:{not_tls}/", "tls"),
    Case("tls-expired", "https://127.0.0.1:{expired}/ok", "certificate"),
    Case("tls-self-signed", "https://127.0.0.1:{self_signed}/ok", "certificate"),
    Case("tls-wrong-name", "https://127.0.0.1:{wrong_name}/ok", "certificate"),
)
