"""Serving metrics: the exporter behind its web server."""

import ctypes
import logging
import os
import resource
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from starlette.routing import Route

from zope_exporter import __version__
from zope_exporter.alerting.thresholds import Limits, read_limits
from zope_exporter.config.schema import Config
from zope_exporter.system.garbage import collect_seldom
from zope_exporter.system.healthcheck import socket_name
from zope_exporter.system.state import StateError
from zope_exporter.web.actions import action_routes
from zope_exporter.web.api import API
from zope_exporter.web.app import make_app
from zope_exporter.web.documentation import DOCUMENTATION, documentation_routes
from zope_exporter.web.health import HEALTHY, READY
from zope_exporter.web.instances import instance_routes
from zope_exporter.web.last_errors import last_error_routes
from zope_exporter.web.runbooks import RUNBOOKS, Known, runbook_routes
from zope_exporter.web.server import Server
from zope_exporter.web.status.pack_plan import plan_routes
from zope_exporter.web.status.page import STYLE, StatusPage
from zope_exporter.web.status.page import routes as status_routes
from zope_exporter.web.status.page_model import compose
from zope_exporter.web.tokens import TokenFile
from zope_exporter.web.webconfig import WebConfigFile

from .exporter import Exporter

log = logging.getLogger(__name__)

M_ARENA_MAX = -8  # of glibc's malloc.h


def serve_on(
    listeners: Sequence[socket.socket],
    config: Config,
    web_config_file: Path | None,
    telemetry_path: str,
    config_file: Path | None = None,
) -> None:
    """Serve on sockets that listen already, until SIGINT or SIGTERM.

    `config_file` is what the configuration was read from.

    Raises ConfigError if the web configuration or the tokens cannot be used, ThresholdError if the
    thresholds cannot, ValueError for a telemetry path that cannot be one.
    """
    web_config = WebConfigFile(web_config_file) if web_config_file else None
    tokens = TokenFile(config.actions.token_file) if config.actions else None
    limits = read_limits(config.thresholds)
    _bound_heaps()
    collect_seldom(samples=0)
    _take_all_descriptors()
    tls = web_config is not None and web_config.current().tls_server_config is not None
    exporter = Exporter(config, "https" if tls else "http")
    try:
        app = make_app(
            exporter.last_scrape,
            exporter.limit,
            telemetry_path=telemetry_path,
            routes=[
                *_api(exporter, tokens),
                *runbook_routes(STYLE, Known(exporter.inventory, config.repositories, config_file)),
                *documentation_routes(STYLE),
                *_status_page(exporter, config, limits, telemetry_path),
            ],
            is_ready=exporter.is_ready,
            scraped_as=exporter.alerting.scraped_as,
        )
        server = Server(app, listeners, web_config, token_prefix=API if tokens else None)
        if (name := socket_name(os.environ)) is not None:
            server.serve_health(name, exporter.is_ready)
        for url in server.urls:
            log.info("zope-exporter %s listens on %s", __version__, url)
        server.run()
    finally:
        exporter.stop()
    log.info("ended")


def _api(exporter: Exporter, tokens: TokenFile | None) -> list[Route]:
    if tokens is None:
        return []
    return [
        *action_routes(tokens, exporter.runner),
        *exporter.alerting.routes(tokens),
        *instance_routes(exporter.inventory, tokens),
        *last_error_routes(exporter.logs, tokens),
    ]


def _status_page(
    exporter: Exporter, config: Config, limits: Limits, telemetry_path: str
) -> list[Route]:
    if telemetry_path == "/":
        return []
    pages = {
        "Metrics": telemetry_path,
        "Runbooks": RUNBOOKS,
        "Documentation": DOCUMENTATION,
        "Healthy": HEALTHY,
        "Ready": READY,
    }
    page = StatusPage(pages | config.links, socket.gethostname(), RUNBOOKS)
    jobs, offered = exporter.runner.jobs, exporter.offered
    look = exporter.last_scrape

    def basis() -> object:
        with suppress(StateError):  # which the page says
            return look.latest and look.latest.time, jobs()
        return object()

    return [
        *status_routes(page, lambda: compose(look, limits, jobs, offered), basis),
        *plan_routes(exporter.plan_pack, offered),
    ]


def _bound_heaps() -> None:
    # Each scrape runs in many short threads, and glibc would keep a heap for every one of them.
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)


def _take_all_descriptors() -> None:
    # Each log takes one, each Zope several while it is asked: 300 of them need more than the 1,024
    # that a shell gives. What is allowed at most is not ours to raise.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
