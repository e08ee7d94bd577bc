"""The whole way from a site to a mail: exporter, Prometheus, Alertmanager and mailbox."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.monitoring.mails import Mail, read
from tests.support.monitoring.prometheus import Prometheus
from tests.support.programs.debian import tool
from tests.support.programs.exporter import serving
from tests.support.programs.require import require
from tests.support.zopes.environments import Environment
from tests.support.zopes.fleet import Fleet, fleet
from zope_exporter.demo.alerting import Pace
from zope_exporter.demo.stack import Stack, alert_stack


@dataclass
class Loop:
    sites: Fleet
    exporter: str
    prometheus: Prometheus
    stack: Stack

    @property
    def mails(self) -> list[Mail]:
        """All that came so far, in that order."""
        return read(self.stack.mailbox.mails)


@contextmanager
def running_loop(environment: Environment, top: Path, pace: Pace) -> Iterator[Loop]:
    """Run all of it below `top`; one site has been backed up and packed."""
    authority = top / "authority.pem"
    with (
        pytest.MonkeyPatch.context() as patch,
        fleet(environment, top, authority) as sites,
    ):
        patch.setenv("SSL_CERT_FILE", str(authority))
        flags = ("--config.file", sites.config)
        with serving(top / "state", *flags, log=top / "exporter.log") as exporter:
            for action in ("backup", "pack"):
                sites.act(exporter.url, action)
            with alerting(exporter.url, top, pace) as (stack, prometheus):
                yield Loop(sites, exporter.url, prometheus, stack)


@contextmanager
def alerting(exporter: str, top: Path, pace: Pace) -> Iterator[tuple[Stack, Prometheus]]:
    """Run what makes mails of an exporter whose token is in `top`."""
    programs = [require(tool, name).parent for name in ("prometheus", "alertmanager")]
    with pytest.MonkeyPatch.context() as patch:
        # The demo looks for Prometheus and Alertmanager there first.
        patch.setenv("PATH", os.pathsep.join([*map(str, programs), os.environ["PATH"]]))
        address = exporter.removeprefix("http://")
        with (
            alert_stack(top, address, top / "token", lambda _: None, pace) as stack,
            closing(Prometheus(stack.prometheus)) as prometheus,
        ):
            yield stack, prometheus
