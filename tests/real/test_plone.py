"""A real Plone 6 with the agent in it: found without configuration, and missed once it is gone."""

import re
from ast import literal_eval
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs.exporter import Page, serving, zope_exporter
from tests.support.programs.processes import eventually
from tests.support.programs.require import require
from tests.support.zopes.agent_installed import with_agent
from tests.support.zopes.environments import Environment, environment
from tests.support.zopes.plones import PloneInstance

# Other Zopes of this host are in directories called `instance`.
NAME = "newspaper"
TIMES = 5
# What neither our probe nor that of anyone else on this host asks for: they send GET, and get 200.
ASKED = (("POST", "/Plone/@@ok"), ("GET", "/Plone/nope"), ("GET", "/Plone/boom"))
CRITICAL = 2
VISITS = 30  # so many that the access log shows what they are to
# Whose versions are put back, so that their upgrade steps wait.
OLDER = {"plone.app.event:default": "14", "plone.app.dexterity:default": "2006"}


@pytest.fixture(scope="module")
def plone6(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return with_agent(require(environment, "plone6"), tmp_path_factory.mktemp("plone6") / "plone")


@pytest.fixture(scope="module")
def plone(plone6: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PloneInstance]:
    """One for all tests of it; the last of them deletes the site in it."""
    instance = PloneInstance(plone6, tmp_path_factory.mktemp("plone") / NAME)
    with instance:
        yield instance


def of_plone(page: Page, metric: str) -> dict[frozenset[tuple[str, str]], float]:
    series = page.get(metric, {}).items()
    return {labels: value for labels, value in series if ("site", NAME) in labels}


def value(page: Page, metric: str, **labels: str) -> float | None:
    found = [v for of, v in of_plone(page, metric).items() if labels.items() <= dict(of).items()]
    return found[0] if len(found) == 1 else None


def grown(before: Page, page: Page, metric: str, *names: str) -> Counter[tuple[str, ...]]:
    """By how much each series has grown, by the values of some of its labels."""
    found: Counter[tuple[str, ...]] = Counter()
    for labels, now in of_plone(page, metric).items():
        key = tuple(dict(labels)[name] for name in names)
        found[key] += int(now - of_plone(before, metric).get(labels, 0))
    return +found


def ask(plone: PloneInstance) -> Counter[tuple[str, ...]]:
    seen: Counter[tuple[str, ...]] = Counter()
    for method, path in ASKED * TIMES:
        answer = plone.site.post(path, {}) if method == "POST" else plone.site.get(path)
        seen[method, str(answer.status_code)] += 1
    return seen


def without_probes(requests: Counter[tuple[str, ...]]) -> Counter[tuple[str, ...]]:
    return Counter({key: count for key, count in requests.items() if key != ("GET", "200")})


def test_it_is_found_without_configuration_and_what_it_logs_is_counted(
    plone: PloneInstance, tmp_path: Path
) -> None:
    with serving(tmp_path / "state", log=tmp_path / "exporter.log") as exporter:
        eventually(lambda: len(of_plone(exporter.page(), "zope_log_size_bytes")) == 2)
        before = exporter.page()
        seen = ask(plone)
        requests, records = "zope_http_requests_total", "zope_event_log_records_total"

        def logged() -> Page | None:
            page = exporter.page()
            counted = without_probes(grown(before, page, requests, "method", "code"))
            failed = grown(before, page, records, "severity")["ERROR",]
            return page if counted >= seen and failed >= TIMES else None

        page = eventually(logged)
        assert page is not None
    assert seen == {("POST", "200"): TIMES, ("GET", "404"): TIMES, ("GET", "503"): TIMES}
    assert without_probes(grown(before, page, requests, "method", "code")) == seen
    severities = grown(before, page, records, "severity")
    assert severities["ERROR",] == TIMES  # those of the page that fails
    # In this layout the event log has the requests as well.
    assert severities["INFO",] >= seen.total()
    assert severities["CRITICAL",] == 0
    assert sum(of_plone(page, "zope_log_unparsed_lines_total").values()) == 0
    names = {dict(labels)["log"] for labels in of_plone(page, "zope_log_size_bytes")}
    assert names == {f"{NAME}-access", f"{NAME}-event"}

    assert value(page, "zope_process_up") == 1
    assert 50e6 < (value(page, "zope_process_resident_memory_bytes") or 0) < 1e9
    data_fs = plone.home / "var/filestorage/Data.fs"
    assert value(page, "zope_filestorage_size_bytes") == data_fs.stat().st_size
    assert value(page, "zope_ping_up", target=NAME) == 1
    assert value(page, "zope_agent_up") == 1
    assert value(page, "zope_instance_info", plone_version="6.2.2", zope_version="6.3") == 1
    assert value(page, "zope_cache_target_objects", database="main") == 30000
    assert (value(page, "zope_cache_objects", state="active") or 0) > 0
    assert value(page, "zope_worker_threads") == plone.threads


def test_its_site_its_addons_and_the_upgrade_steps_that_wait_are_told(
    plone: PloneInstance, tmp_path: Path
) -> None:
    setup = "/Plone/portal_setup"

    def pending() -> set[str]:
        """As GenericSetup itself tells."""
        found: list[str] = literal_eval(
            plone.site.get(f"{setup}/listProfilesWithPendingUpgrades").text or "[]"
        )
        return set(found)

    def waiting(page: Page) -> set[str]:
        series = of_plone(page, "zope_plone_profiles_waiting").items()
        return {dict(labels)["profile"] for labels, count in series if count}

    with serving(tmp_path / "state", log=tmp_path / "exporter.log") as exporter:
        page = eventually(lambda: with_sites(exporter.page()))
        assert page is not None
        before = pending()
        assert waiting(page) == before
        for profile, version in OLDER.items():
            form = {"profile_id": profile, "version": version}
            assert plone.site.post(f"{setup}/setLastVersionForProfile", form).is_success
        assert pending() == before | OLDER.keys()
        assert waiting(exporter.page()) == before | OLDER.keys()

    assert value(page, "zope_plone_sites", database="main") == 1
    shown = {"profile_id": "Products.CMFPlone:plone"}
    [installed] = literal_eval(plone.site.post(f"{setup}/getLastVersionForProfile", shown).text)
    assert value(page, "zope_plone_site_info", plone_site="/Plone", version=installed) == 1
    assert value(page, "zope_distribution_zopes", distribution="Products.CMFPlone") == 1
    assert value(page, "zope_broken_classes") == 0


def with_sites(page: Page) -> Page | None:
    found = of_plone(page, "zope_plone_profiles_waiting")
    return page if found and of_plone(page, "zope_plone_sites") else None


def test_what_it_logs_to_stderr_is_counted_too(plone6: Environment, tmp_path: Path) -> None:
    config = tmp_path / "zope-exporter.yml"
    requests, records = "zope_http_requests_total", "zope_event_log_records_total"
    plone = PloneInstance(plone6, tmp_path / NAME, log_file=False)
    instances = f"[{{wsgi_ini: {plone.zope_ini}}}]"
    config.write_text(f"discover: false\nsites: [{{name: {NAME}, instances: {instances}}}]\n")
    with plone:
        flags = ("--config.file", config)
        with serving(tmp_path / "state", *flags, log=tmp_path / "exporter.log") as exporter:
            before = eventually(lambda: agent_answers(exporter.page()))
            assert before is not None
            seen = ask(plone)

            def logged() -> Page | None:
                page = exporter.page()
                counted = without_probes(grown(before, page, requests, "method", "code"))
                return page if counted.total() >= seen.total() else None

            page = eventually(logged)
            assert page is not None
    assert without_probes(grown(before, page, requests, "method", "code")) == seen
    assert grown(before, page, records, "severity")["ERROR",] == TIMES
    assert of_plone(page, "zope_log_size_bytes") == {}
    for source in ("access_log", "event_log"):
        assert value(page, "zope_source_watched", source=source) == 1


def agent_answers(page: Page) -> Page | None:
    return page if value(page, "zope_agent_up") == 1 else None


def test_check_asks_for_a_page_of_the_site_and_that_one_is_missed(
    plone: PloneInstance, tmp_path: Path
) -> None:
    def check(*flags: str | Path) -> tuple[int, str]:
        run = zope_exporter("check", *flags, state_dir=tmp_path / "state")
        assert run.stderr == ""
        own = [line for line in run.stdout.splitlines() if NAME in line.split()]
        return run.returncode, "\n".join(own)

    _, told = check()
    asked = rf"^WARNING +{NAME} +ping .*{plone.site.url}/(SITE|Plone)/@@ok"
    assert re.search(asked, told, re.MULTILINE)
    assert "CRITICAL" not in told

    page = f"{plone.site.url}/Plone/@@ok"
    config = tmp_path / "zope-exporter.yml"
    config.write_text(
        f"discover: false\nsites: [{{name: {NAME}, instances: [{{wsgi_ini: {plone.zope_ini}}}],"
        f" ping: [{{name: page, url: '{page}'}}]}}]\n"
    )
    status, told = check("--config.file", config)
    assert status == 0, told
    assert f"{page}: status 200" in told

    assert all(plone.site.get("/Plone/@@ok").is_success for _ in range(VISITS))
    zope_exporter("init", tmp_path / "first", state_dir=tmp_path / "state")
    _, told = check("--config.file", tmp_path / "first/config.yml")
    assert f"{page}: status 200" in told
    assert not re.search("^(WARNING|CRITICAL|UNKNOWN)", told, re.MULTILINE), told

    deleted = plone.site.post("/manage_delObjects", {"ids:list": "Plone"})
    assert deleted.status_code == 200
    assert plone.site.answers()  # its root does, as ever
    status, told = check("--config.file", config)
    assert status == CRITICAL, told
    [failed] = [line for line in told.splitlines() if line.startswith("CRITICAL")]
    assert f"{page}: status 404" in failed
    flags = ("--config.file", config)
    with serving(tmp_path / "served", *flags, log=tmp_path / "exporter.log") as exporter:
        assert exporter.value("zope_ping_up", site=NAME, target="page") == 0
        assert exporter.value("zope_process_up", site=NAME, zope=NAME) == 1
