"""What is said of a site in each state: the words are for a person who was just woken up."""

from dataclasses import replace
from pathlib import Path

import pytest

from zope_exporter.alerting.thresholds import read_limits
from zope_exporter.app.check import Checked, report, worst
from zope_exporter.checks.finding import Finding, Severity
from zope_exporter.checks.site import judge
from zope_exporter.clients.agent.diagnosis import Absence
from zope_exporter.collectors import backup, filestorage, logs, ping, process
from zope_exporter.discovery.inventory import (
    Database,
    Inventory,
    Process,
    Service,
    Site,
    Storage,
    Target,
)
from zope_exporter.metrics.failure import Failure
from zope_exporter.metrics.metric import Metric, Sample
from zope_exporter.metrics.registry import Scrape

NOW = 1_800_000_000.0
DATA_FS = Path("/srv/intranet/var/Data.fs")
ZOPE = Service(
    "zope",
    "client1",
    Path("/srv/intranet/etc/zope.conf"),
    urls=("http://127.0.0.1:8080",),
    databases=(Database("main", "filestorage", data_fs=DATA_FS),),
    threads=4,
    event_log=Path("/srv/intranet/var/log/event.log"),
    process=Process(42, NOW - 7200),
)
SITE = Site(
    "intranet",
    (ZOPE,),
    (Storage("main", DATA_FS),),
    (Target("home", "https://me:geheim@127.0.0.1/ok"),),
)
WELL: dict[tuple[Metric, tuple[str, ...]], float] = {
    (process.UP, ("intranet", "client1")): 1,
    (process.START_TIME, ("intranet", "client1")): NOW - 7200,
    (process.RESIDENT, ("intranet", "client1")): 61_234_567,
    (process.MEMORY_LIMIT, ("intranet", "client1")): 1e9,
    (filestorage.SIZE, ("intranet", "main")): 3e9,
    (filestorage.LAST_TRANSACTION, ("intranet", "main")): NOW - 90,
    (filestorage.OLD_SIZE, ("intranet", "main")): 5e9,
    (filestorage.LEFTOVER, ("intranet", "main")): 0,
    (filestorage.REPLACED, ("intranet", "main")): 0,
    (filestorage.AVAILABLE, ("intranet", "main")): 40e9,
    (filestorage.CAPACITY, ("intranet", "main")): 100e9,
    (backup.ELSEWHERE, ("intranet", "main")): 1,
    (ping.UP, ("intranet", "home")): 1,
    (ping.STATUS_CODE, ("intranet", "home")): 200,
    (ping.DURATION, ("intranet", "home")): 0.0123,
    (ping.CERTIFICATE_EXPIRY, ("intranet", "home")): NOW + 90 * 86400,
}


def judged(
    site: Site = SITE,
    changes: dict[tuple[Metric, tuple[str, ...]], float | None] | None = None,
    failures: tuple[Failure, ...] = (),
) -> list[Finding]:
    values = {**WELL, **(changes or {})}
    samples = [Sample(*key, value) for key, value in values.items() if value is not None]
    scrape = Scrape(samples, list(failures))
    return judge(
        Inventory((site,)), scrape, read_limits(), lambda: NOW, lambda _: Absence("not installed")
    )


def wrong(findings: list[Finding]) -> list[str]:
    return [
        f"{finding.severity.name} {finding.subject}: {finding.text}"
        for finding in findings
        if finding.severity is not Severity.OK
    ]


def test_a_healthy_site_says_what_was_found() -> None:
    assert list(report(Checked(judged(), []), quiet=False)) == [
        "OK: 4 things are OK",
        "OK  intranet  client1    pid 42, up for 2 h, 61.2 MB, 4 worker threads,"
        " http://127.0.0.1:8080, database main (filestorage), log /srv/intranet/var/log/event.log",
        "OK  intranet  client1    no agent: not installed",
        "OK  intranet  main       /srv/intranet/var/Data.fs, 3 GB, last transaction 2 min ago",
        "OK  intranet  ping home  https://127.0.0.1/ok: status 200 in 12 ms",
    ]


def test_a_backup_that_nobody_knows_of_is_missed() -> None:
    [said] = wrong(judged(changes={(backup.ELSEWHERE, ("intranet", "main")): None}))
    assert said.startswith("WARNING backup main: none is known (configure the site's backup:")
    main = "intranet", "main"
    assert not wrong(
        judged(changes={(backup.ELSEWHERE, main): None, (filestorage.SIZE, main): 9e6})
    )


def test_quiet_says_nothing_of_a_healthy_site_and_only_what_is_wrong_of_another() -> None:
    assert list(report(Checked(judged(), []), quiet=True)) == []
    findings = judged(changes={(filestorage.LEFTOVER, ("intranet", "main")): 5e6})
    assert list(report(Checked(findings, []), quiet=True)) == [
        "WARNING: 1 of 5 findings need attention",
        "WARNING  intranet  main  an aborted pack or commit left 5 MB beside"
        " /srv/intranet/var/Data.fs",
    ]


@pytest.mark.parametrize(
    ("metric", "name", "value", "said"),
    [
        (
            process.UP,
            "client1",
            0,
            "CRITICAL client1: is not running; configured in /srv/intranet/etc/zope.conf"
            " (start it, or zope-exporter forget client1)",
        ),
        (
            filestorage.REPLACED,
            "main",
            1,
            "CRITICAL main: /srv/intranet/var/Data.fs was replaced while a process still writes to"
            " the old file: its commits are lost (copy the old file from /proc/PID/fd before that"
            " process is stopped)",
        ),
        (
            filestorage.SIZE,
            "main",
            50e9,
            "WARNING main: a pack may not find room: 40 GB free and 5 GB of Data.fs.old,"
            " Data.fs 50 GB",
        ),
        (
            logs.REOPEN_NEEDED,
            "client1-event",
            1,
            "WARNING client1-event: Zope still writes to the file that was renamed or deleted"
            " (have logrotate copytruncate it, or restart Zope after a rotation)",
        ),
        (
            ping.CERTIFICATE_EXPIRY,
            "home",
            NOW + 9 * 86400,
            "WARNING ping home: certificate expires in 9 d",
        ),
        (
            ping.CERTIFICATE_EXPIRY,
            "home",
            NOW + 2 * 86400,
            "CRITICAL ping home: certificate expires in 2 d",
        ),
        (
            ping.DURATION,
            "home",
            2.5,
            "WARNING ping home: https://127.0.0.1/ok: slower than 2 s (see which requests run)",
        ),
        (
            process.RESIDENT,
            "client1",
            950e6,
            "WARNING client1: uses most of the 1 GB of memory that its control group may have"
            " (raise the limit, or see what grows)",
        ),
        (
            filestorage.LAST_TRANSACTION,
            "main",
            NOW + 9 * 86400,
            "WARNING main: the last transaction is 9 d in the future: a clock was wrong (until then"
            " no pack removes what it replaced)",
        ),
        (
            ping.CERTIFICATE_EXPIRY,
            "home",
            NOW - 3600,
            "CRITICAL ping home: certificate has expired",
        ),
    ],
)
def test_what_is_wrong_is_said(metric: Metric, name: str, value: float, said: str) -> None:
    findings = judged(changes={(metric, ("intranet", name)): value})
    assert wrong(findings) == [said]
    assert worst(findings).name in said


def test_a_storage_that_nobody_here_knows_is_named() -> None:
    database = Database("main", "other", section="pgjsonb")
    site = replace(SITE, services=(replace(ZOPE, databases=(database,)),))
    assert wrong(judged(site)) == [
        "WARNING client1: database main is on a storage of the kind pgjsonb that is not known here:"
        " its size, its packs and its backups are not watched here"
    ]


def test_a_failed_probe_says_why_and_never_a_password() -> None:
    findings = judged(
        changes={
            (ping.UP, ("intranet", "home")): 0,
            (ping.STATUS_CODE, ("intranet", "home")): None,
            (ping.FAILURE, ("intranet", "home", "timeout")): 1,
            (ping.FAILURE, ("intranet", "home", "dns")): 0,
        }
    )
    assert wrong(findings) == ["CRITICAL ping home: https://127.0.0.1/ok: no answer, timeout"]


def test_what_cannot_be_known_is_not_invented() -> None:
    findings = judged(changes=dict.fromkeys(WELL))
    assert findings == []


def test_failures_problems_and_debug_mode_are_said() -> None:
    zope = replace(ZOPE, debug_mode=True, problems=("zope.conf: $HOME is not defined",))
    failures = (
        Failure("filestorage", ("intranet", "main"), "process 42 cannot be seen"),
        Failure("filestorage", ("intranet", "other"), "Data.fs is missing"),
        Failure("process", ("intranet", "client1"), "open files: run as root"),
    )
    assert wrong(judged(replace(SITE, services=(zope,)), failures=failures)) == [
        "WARNING client1: runs in debug mode, which is slow and shows tracebacks",
        "WARNING client1: zope.conf: $HOME is not defined",
        "WARNING filestorage main: process 42 cannot be seen",
        "CRITICAL filestorage other: Data.fs is missing",
        "WARNING process client1: open files: run as root",
    ]


def test_the_site_of_a_failure_is_not_guessed_from_its_words() -> None:
    failures = (
        Failure("ping", ("intranet/old", "home"), "torn"),
        Failure("logs", ("", "state"), "disk full"),
        Failure("actions", (), "no inventory"),
    )
    findings = [each for each in judged(failures=failures) if each.severity.name == "WARNING"]
    assert [(each.site, each.subject) for each in findings] == [
        ("intranet/old", "ping home"),
        ("", "logs state"),
        ("", "actions"),
    ]


def test_finding_nothing_is_unknown_and_says_what_to_do() -> None:
    findings = judge(Inventory(problems=("pid 7: may not be read",)), Scrape([], []), read_limits())
    assert worst(findings).exit_code == 3
    assert [finding.severity.name for finding in findings] == ["WARNING", "UNKNOWN"]
    assert "--config.file" in findings[-1].text


def test_exit_codes_are_those_of_nagios() -> None:
    assert {severity.name: severity.exit_code for severity in Severity} == {
        "OK": 0,
        "WARNING": 1,
        "CRITICAL": 2,
        "UNKNOWN": 3,
    }
