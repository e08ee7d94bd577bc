"""From what was seen to what is said of it."""

from collections.abc import Collection, Sequence

import pytest

from tests.support.web.status import HOUR, NOW, burning, healthy, inventory, observed, without
from zope_exporter.alerting.thresholds import read_limits
from zope_exporter.checks.finding import Severity
from zope_exporter.collectors import backup, plone
from zope_exporter.collectors.agent import instance
from zope_exporter.discovery.inventory import Inventory
from zope_exporter.maintenance.jobs.job import Job, Paths, Task
from zope_exporter.metrics.registry import Scrape
from zope_exporter.system.state import StateError
from zope_exporter.web.status.page_model import compose
from zope_exporter.web.status.view import DatabaseView, Offers, PageView, ZopeView

LIMITS = read_limits()
EVERYTHING = {(action, "intranet", "main") for action in ("pack", "backup", "verify")}


def page(
    *scrapes: Scrape, offered: Collection[tuple[str, str, str]] = (), later: float = 5.0
) -> PageView:
    seen = observed(inventory(), scrapes)
    return compose(seen, LIMITS, list, lambda: Offers(offered), lambda: NOW + later)


def zope(view: PageView) -> ZopeView:
    return view.sites[0].zopes[0]


def database(view: PageView) -> DatabaseView:
    return view.sites[0].databases[0]


def texts(view: DatabaseView | ZopeView) -> dict[str, tuple[str, Severity]]:
    return {fact.name: (fact.text, fact.severity) for fact in view.facts}


def test_all_is_well() -> None:
    view = page(healthy(inventory()))
    assert (view.severity, view.age, view.remarks) == (Severity.OK, 5.0, ())
    [site] = view.sites
    assert (site.severity, site.reasons) == (Severity.OK, ())
    assert texts(zope(view)) == {
        "Process": ("runs", Severity.OK),
        "Up for": ("5 h", Severity.OK),
        "Memory": ("180 MB", Severity.OK),
        "Worker threads": ("1 of 4 busy", Severity.OK),
    }
    assert texts(database(view)) == {
        "File": ("/srv/zope/var/Data.fs, 3 GB", Severity.OK),
        "Last transaction": ("1 min ago", Severity.OK),
        "Last pack": ("2 d ago", Severity.OK),
        "Backup": ("covers everything", Severity.OK),
        "Proven restorable": ("40 s ago", Severity.OK),
    }
    [bar] = database(view).bars
    assert (bar.own, bar.others, bar.text) == (3.0, 57.0, "40 GB of 100 GB free")
    [target] = site.targets
    assert target.text == "answers in 20 ms"


def test_what_burns_comes_first() -> None:
    view = page(burning(inventory()))
    assert view.severity is Severity.CRITICAL
    [site] = view.sites
    assert site.severity is Severity.CRITICAL
    severities = [finding.severity for finding in site.reasons]
    assert severities == sorted(severities, reverse=True)
    assert {"ping home", "main", "datafs main"} <= {finding.subject for finding in site.reasons}
    assert "all 4 worker threads are busy: visitors wait" in {f.text for f in site.reasons}
    assert texts(zope(view))["Worker threads"] == ("4 of 4 busy", Severity.CRITICAL)
    assert texts(database(view))["Backup"] == ("covers all until 4 d ago", Severity.CRITICAL)
    assert site.targets[0].severity is Severity.CRITICAL


def test_without_the_agent_nothing_is_made_up() -> None:
    view = page(
        without(
            healthy(inventory()),
            instance.THREADS,
            instance.BUSY,
            instance.RESPONSES,
        )
    )
    assert texts(zope(view))["Worker threads"][0] == "4; only the agent knows who is busy"
    assert [graph.title for graph in zope(view).graphs] == ["Memory"]


def test_a_backup_that_is_not_configured_is_no_backup() -> None:
    of_backups = backup.MAX_AGE, backup.COVERED, backup.LAST_VERIFIED
    view = page(without(healthy(inventory()), *of_backups))
    assert texts(database(view))["Backup"] == ("none is configured", Severity.WARNING)
    of_backups = backup.LAST_SUCCESS, backup.COVERED, backup.LAST_VERIFIED
    view = page(without(healthy(inventory()), *of_backups))
    assert texts(database(view))["Backup"] == ("there is none yet", Severity.CRITICAL)
    assert texts(database(view))["Proven restorable"] == ("never", Severity.WARNING)


def test_plone_sites_and_classes_without_code_are_named() -> None:
    [site] = inventory().sites
    of = {"site": site.name, "database": site.storages[0].database}
    broken = {"site": site.name, "zope": site.services[0].name}
    more = [
        plone.SITE_INFO(1, plone_site="/Plone", version="6205", **of),
        plone.WAITING(1, profile="shop:default", **of),
        instance.BROKEN_CLASSES(1, **broken),
        instance.BROKEN_INFO(1, **broken, **{"class": "shop.Cart"}),
    ]
    view = page(Scrape([*healthy(inventory()).samples, *more], []))
    facts = texts(database(view))
    assert facts["Plone sites"] == ("/Plone (6205)", Severity.OK)
    assert facts["Profiles waiting for an upgrade step"] == ("1: shop:default", Severity.OK)
    [reason] = view.sites[0].reasons
    assert "1 class: shop.Cart" in reason.text


def test_plone_sites_elsewhere_have_a_database_of_their_own() -> None:
    of = {"site": inventory().sites[0].name, "database": "users"}
    more = [plone.SITES(1, **of), plone.SITE_INFO(1, plone_site="/Plone", version="6205", **of)]
    more.append(plone.SITES(0, **{**of, "database": "other"}))
    view = page(Scrape([*healthy(inventory()).samples, *more], []))
    elsewhere = view.sites[0].databases[-1]
    assert elsewhere.name == "users"
    assert texts(elsewhere) == {"Plone sites": ("/Plone (6205)", Severity.OK)}
    assert all(each.name != "other" for each in view.sites[0].databases)


def test_the_last_hour() -> None:
    found = inventory()
    scrapes = [healthy(found, NOW - back * 30) for back in range(3, -1, -1)]
    [site] = page(*scrapes).sites
    requests, slowest = site.graphs
    assert (requests.title, requests.latest) == ("Requests", "1.0/s")
    assert (slowest.title, slowest.latest) == ("Slowest ping", "20 ms")
    assert [(error.what, error.count) for error in site.errors] == [
        ("ERROR", 90),
        ("POSKeyError", 90),
    ]


def test_the_step_under_way_counts_for_nothing_yet() -> None:
    found = inventory()
    scrapes = [healthy(found, NOW - ago) for ago in (60, 30, 29)]
    [site] = page(*scrapes).sites
    assert site.graphs[0].latest == "1.0/s"


def test_before_the_first_look() -> None:
    view = compose(observed(inventory(), []), LIMITS, list, Offers, lambda: NOW)
    assert (view.severity, view.age, view.sites) == (Severity.UNKNOWN, None, ())


def test_an_empty_host_is_not_well() -> None:
    view = compose(observed(Inventory(), [Scrape([], [])]), LIMITS, list, Offers, lambda: NOW)
    assert view.severity is Severity.UNKNOWN
    assert "found no running Zope" in view.remarks[0].text


def test_what_may_be_asked_for_and_what_to_consider() -> None:
    assert database(page(healthy(inventory()))).offers == ()
    view = page(healthy(inventory()), offered=EVERYTHING)
    pack, make, verify = database(view).offers
    assert (pack.action, pack.site, pack.database) == ("pack", "intranet", "main")
    assert pack.consider == ()  # that is looked up when it is asked for
    assert make.consider == verify.consider
    assert make.consider == (
        "The repository has 70 GB free.",
        "The last backup covers 1 min ago.",
        "A backup of it was proven 40 s ago.",
    )
    assert (make.action, verify.action) == ("backup", "verify")
    view = page(without(healthy(inventory()), backup.COVERED), offered=EVERYTHING)
    assert database(view).offers[1].consider[-1] == "There is no backup."


def job(**changes: object) -> Job:
    fields: dict[str, object] = {
        "id": 7,
        "task": Task("intranet", "main", "pack"),
        "origin": "http",
        "state": "running",
        "queued": NOW - 200,
        "begun": NOW - 180,
        "ended": None,
        "stage": "copying",
        "done": 25,
        "total": 200,
        "log": ("a line",),
        "code": "",
        "error": "",
        "result": {},
        "paths": Paths(),
    }
    return Job(**(fields | changes))  # type: ignore[arg-type]  # of many types


def jobs_page(jobs: Sequence[Job]) -> PageView:
    return compose(observed(inventory(), []), LIMITS, lambda: jobs, Offers, lambda: NOW)


def test_jobs_in_words() -> None:
    view = jobs_page(
        [
            job(),
            job(id=6, state="failed", ended=NOW - 60, error="copying: no room", stage="copying"),
            job(id=5, state="queued", begun=None, stage="", total=0),
        ]
    )
    assert view.busy
    running, failed, queued = view.jobs
    assert (running.what, running.percent) == ("pack of main of intranet", 12.5)
    assert (running.stage, running.when) == ("copying", "for 3 min")
    assert (failed.severity, failed.error) == (Severity.CRITICAL, "copying: no room")
    assert (failed.when, failed.stage) == ("1 min ago, took 2 min", "")
    assert (queued.when, queued.percent) == ("waiting for 3 min", None)
    assert not jobs_page([job(state="succeeded", ended=NOW)]).busy


def test_only_the_newest_jobs() -> None:
    assert len(jobs_page([job(id=number) for number in range(50)]).jobs) == 10


def test_a_state_file_that_fails_costs_the_jobs_only() -> None:
    def failing() -> Sequence[Job]:
        raise StateError("the file is locked")

    view = compose(
        observed(inventory(), [healthy(inventory())]), LIMITS, failing, Offers, lambda: NOW
    )
    assert view.jobs_problem == "the file is locked"
    assert view.sites


def test_a_look_that_is_old_says_so() -> None:
    assert page(healthy(inventory()), later=HOUR).age == HOUR


@pytest.mark.parametrize(
    ("scrapes", "said"),
    [
        (1, "does not answer correctly"),
        (4, "does not answer correctly for 2 min"),
        (130, "does not answer correctly for at least 1 h"),
    ],
)
def test_since_when_it_is_so(scrapes: int, said: str) -> None:
    found = inventory()
    seen = [healthy(found)] * (scrapes < 100) + [burning(found)] * scrapes
    view = compose(observed(found, seen), LIMITS, list, Offers, lambda: NOW)
    [target] = view.sites[0].targets
    assert target.text == said


def test_ill_sites_come_first() -> None:
    found = [inventory(name).sites[0] for name in ("a", "b")]
    ill = burning(Inventory((found[1],)))
    samples = [*healthy(Inventory((found[0],))).samples, *ill.samples]
    seen = observed(Inventory(tuple(found)), [Scrape(samples, [])])
    view = compose(seen, LIMITS, list, Offers, lambda: NOW)
    assert [site.name for site in view.sites] == ["b", "a"]
