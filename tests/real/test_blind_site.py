"""Pages of a site without agent fail while its root answers: nothing is green, and a page comes."""

import re
from contextlib import ExitStack
from pathlib import Path

import yaml
from playwright.sync_api import expect

from tests.support.monitoring.dashboards import expressions, filled, load
from tests.support.monitoring.loop import alerting
from tests.support.monitoring.mails import page, read
from tests.support.monitoring.prometheus import Prometheus
from tests.support.programs.browser import chromium, picture
from tests.support.programs.exporter import serving, zope_exporter
from tests.support.programs.processes import eventually
from tests.support.zopes.environments import Environment
from tests.support.zopes.fleet import Visitors
from tests.support.zopes.instances import ZopeInstance
from zope_exporter.demo.alerting import Pace
from zope_exporter.demo.stack import write_token

# Of one nothing counts the requests; the access log of the other has none that fails.
UNCOUNTED, INCOMPLETE = "uncounted", "incomplete"
NAMES = (UNCOUNTED, INCOMPLETE)
WELL = "All that is watched of this site is OK."


def access_log_to_stderr(zope: ZopeInstance) -> None:
    ini = zope.zope_ini.read_text()
    assert "handlers = accesslog" in ini
    zope.zope_ini.write_text(ini.replace("handlers = accesslog", "handlers = console"))


def configuration(zopes: list[ZopeInstance], top: Path) -> Path:
    def site(zope: ZopeInstance) -> dict[str, object]:
        files = {"zope_conf": str(zope.zope_conf), "wsgi_ini": str(zope.zope_ini)}
        ping = {"name": "home", "url": zope.site.url, "timeout": "2s"}
        return {"name": zope.home.name, "instances": [files], "ping": [ping]}

    actions = {"token_file": str(write_token(top / "token"))}
    document = {"discover": False, "sites": [site(zope) for zope in zopes], "actions": actions}
    config = top / "zope-exporter.yml"
    config.write_text(yaml.safe_dump(document))
    return config


def ratios(prometheus: Prometheus) -> list[object]:
    """What the dashboards show of the share of requests that failed, or did not."""
    of_slo = (
        "Left of the budget",
        "Served, of",
        "Burn rate",
        "Failed requests",
        "Part that failed",
    )
    asked = [
        filled(expr, __rate_interval="1m")
        for dashboard in load()
        for title, expr in expressions(dashboard)
        if title.startswith(of_slo)
    ]
    assert len(asked) > len(of_slo)
    return [found for expr in asked for found in prometheus.query(expr)]


def test_a_site_in_flames_that_nobody_counts(
    zope63: Environment, tmp_path: Path, ending: ExitStack
) -> None:
    zopes = [ZopeInstance(zope63, tmp_path / name) for name in NAMES]
    access_log_to_stderr(zopes[0])
    for zope in zopes:
        ending.enter_context(zope)
        zope.site.commit(["boom"], '<dtml-call "1/0">')
    visitors = [ending.enter_context(Visitors(zope)) for zope in zopes]
    flags = ("--config.file", configuration(zopes, tmp_path))
    with (
        serving(tmp_path / "state", *flags, log=tmp_path / "exporter.log") as exporter,
        alerting(exporter.url, tmp_path, Pace()) as (stack, prometheus),
        chromium() as browser,
    ):
        up = 'zope_ping_up{site=~"uncounted|incomplete"} == 1'
        eventually(lambda: len(prometheus.query(up)) == len(NAMES))
        for visitor in visitors:
            visitor.ask_for("/boom")
        pages = {page(name, "ZopeRequestsFailing") for name in NAMES}
        eventually(lambda: set(read(stack.mailbox.mails)) >= pages, 180)
        assert ratios(prometheus) == []
        tab = browser.new_page()
        tab.goto(exporter.url)
        expect(tab).to_have_title(re.compile(r"critical - \S+ - zope-exporter"))
        expect(tab.locator(".badge.ok")).to_have_count(0)
        expect(tab.get_by_text("All that is watched")).to_have_count(0)
        expect(tab.get_by_text("the total is not counted")).to_be_visible()
        expect(tab.get_by_text("of the requests of the last 5 min failed")).to_be_visible()
        picture(tab, "blind-and-burning")
        told = zope_exporter("check", *flags, state_dir=tmp_path / "other")
    assert told.returncode == 2, told.stdout
    critical = [line.split()[1:3] for line in told.stdout.splitlines() if "CRITICAL " in line]
    assert critical == [[name, "requests"] for name in NAMES]
