"""From a fault to the mail, with the intervals as shipped.

Run as `python -m tests.bench.alert_latency [MINUTES]`: all sites are broken at once, and who was
told of what after how long is listed; what needs longer than that is named as missing. Of the site
that was stopped it is also told where the seconds went.
"""

import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import click

from tests.support.monitoring.breakage import FAULTS
from tests.support.monitoring.loop import Loop, running_loop
from tests.support.monitoring.mails import Mail, page
from tests.support.programs.processes import eventually
from tests.support.zopes.agent_installed import with_agent
from tests.support.zopes.environments import environment
from tests.support.zopes.pages import add_pages
from zope_exporter.demo.alerting import Pace

SHIPPED = Pace(scrape=30, group=None, day=86400, thresholds={})
EXPECTED = [mail for fault in FAULTS for mail in fault.mails]
DOWN = page("stopped", "ZopeSiteDown")
ALERT = 'ALERTS{{alertname="ZopeSiteDown", site="stopped", alertstate="{}"}}'
STAGES = {
    "until it is scraped": 'zope_ping_up{site="stopped"} == 0',
    "until the rules are evaluated": ALERT.format("pending"),
    "for which it has to last": ALERT.format("firing"),
}


def first_mails(
    loop: Loop, began: float, limit: float, stages: dict[str, float]
) -> dict[Mail, float]:
    """Seconds after `began` at which each mail came first, for as long as `limit` or till all.

    `stages` gets the same of each step on the way to the first of them.
    """
    found: dict[Mail, float] = {}
    while time.monotonic() - began < limit and not found.keys() >= set(EXPECTED):
        for mail in loop.mails:
            found.setdefault(mail, time.monotonic() - began)
        for stage, expr in STAGES.items():
            if stage not in stages and loop.prometheus.query(expr):
                stages[stage] = time.monotonic() - began
        threading.Event().wait(0.5)
    return found


def steps(stages: dict[str, float], mail: float) -> Iterator[tuple[str, float]]:
    """How long each step took; one that was too short to be met took none."""
    before = 0.0
    for stage, seconds in (*stages.items(), ("until the mail is there", mail)):
        yield stage, seconds - before
        before = seconds


def main(minutes: str = "10") -> None:
    with tempfile.TemporaryDirectory() as directory:
        top = Path(directory)
        zope = with_agent(environment("zope63"), top / "environment")
        add_pages(zope)
        with running_loop(zope, top, SHIPPED) as loop:
            # Counters need a value from before the fault.
            scraped = "count_over_time(up[5m]) >= 3"
            eventually(lambda: loop.prometheus.query(scraped), 180)
            began = time.monotonic()
            loop.sites.in_parallel(fault.breaks for fault in FAULTS)
            stages: dict[str, float] = {}
            mails = first_mails(loop, began, float(minutes) * 60, stages)
            loop.sites.in_parallel(fault.repair for fault in FAULTS if fault.repair)
        for mail, seconds in sorted(mails.items(), key=lambda item: item[1]):
            click.echo(f"{mail.site:12} {mail.alert:24} {mail.what:9} {seconds:6.0f} s")
        for stage, seconds in steps(stages, mails[DOWN]) if DOWN in mails else ():
            click.echo(f"stopped: {stage:30} {seconds:6.0f} s")
        for mail in EXPECTED:
            if mail not in mails:
                click.echo(f"{mail.site:12} {mail.alert:24} not within {minutes} min")


if __name__ == "__main__":
    main(*sys.argv[1:])
