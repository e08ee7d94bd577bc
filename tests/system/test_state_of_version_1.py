"""A state file as the first version wrote it, as each of today's readers finds it."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from zope_exporter.discovery.memory import Memory
from zope_exporter.logs.tail.store import LogKey, LogStore
from zope_exporter.maintenance.jobs.store import JobStore
from zope_exporter.storage.filestorage.state import Counted, Known, Store

# Never to be changed: files like this are out there.
VERSION_1 = """
PRAGMA user_version = 1;
CREATE TABLE services (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, config BLOB NOT NULL,
    wsgi_ini BLOB NOT NULL, directory BLOB NOT NULL, variables TEXT NOT NULL, environ TEXT NOT NULL,
    site TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (kind, config, wsgi_ini));
INSERT INTO services VALUES (1, 'zope', CAST('/srv/etc/zope.conf' AS BLOB), CAST('' AS BLOB),
    CAST('/srv' AS BLOB), '[]', '[]', 'shop', 'instance');
CREATE TABLE logs (site TEXT NOT NULL, log TEXT NOT NULL, path BLOB NOT NULL, state TEXT NOT NULL,
    PRIMARY KEY (site, log, path));
INSERT INTO logs VALUES ('shop', 'access', CAST('/srv/Z4.log' AS BLOB), '{"counter": {}}');
CREATE TABLE jobs (id INTEGER PRIMARY KEY AUTOINCREMENT, site TEXT NOT NULL, database TEXT NOT NULL,
    action TEXT NOT NULL, origin TEXT NOT NULL, state TEXT NOT NULL, queued REAL NOT NULL,
    begun REAL, ended REAL, stage TEXT NOT NULL DEFAULT '', done INTEGER NOT NULL DEFAULT 0,
    total INTEGER NOT NULL DEFAULT 0, log TEXT NOT NULL DEFAULT '[]',
    code TEXT NOT NULL DEFAULT '', error TEXT NOT NULL DEFAULT '',
    result TEXT NOT NULL DEFAULT '{}', data_fs BLOB, repository BLOB);
INSERT INTO jobs (site, database, action, origin, state, queued, begun, ended)
    VALUES ('shop', 'main', 'pack', 'shell', 'succeeded', 10, 11, 12);
CREATE TABLE job_tallies (site TEXT NOT NULL, database TEXT NOT NULL, action TEXT NOT NULL,
    ended INTEGER NOT NULL DEFAULT 0, unsuccessful INTEGER NOT NULL DEFAULT 0, last_begun REAL,
    last_success REAL, last_failure REAL, last_duration REAL,
    PRIMARY KEY (site, database, action));
INSERT INTO job_tallies VALUES ('shop', 'main', 'pack', 7, 2, 11, 12, 5, 1);
CREATE TABLE alert_action (number INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL,
    starts_at INTEGER NOT NULL, action TEXT NOT NULL, UNIQUE (fingerprint, starts_at, action));
INSERT INTO alert_action VALUES (1, 'f00d', 5, 'pack');
CREATE TABLE watchdog (name TEXT PRIMARY KEY, told INTEGER, at REAL NOT NULL);
CREATE TABLE data_fs (path BLOB PRIMARY KEY, counted TEXT, ledger TEXT, starts BLOB, live BLOB,
    findings TEXT);
INSERT INTO data_fs VALUES (CAST('/srv/Data.fs' AS BLOB), '{"transactions": 42, "tid": 99}',
    '{}', zeroblob(100000), zeroblob(100000), '{}');
CREATE TABLE data_fs_scan (path BLOB, name TEXT, value BLOB, PRIMARY KEY (path, name));
INSERT INTO data_fs_scan VALUES (CAST('/srv/Data.fs' AS BLOB), 'x', zeroblob(100000));
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    file = tmp_path / "state.sqlite3"
    with closing(sqlite3.connect(file)) as old:
        old.executescript(VERSION_1)
    return file


def test_services_are_remembered(state: Path) -> None:
    (service,) = Memory(state).load()
    assert (service.site, service.name, service.config) == (
        "shop",
        "instance",
        Path("/srv/etc/zope.conf"),
    )


def test_logs_go_on(state: Path) -> None:
    key = LogKey("shop", "access", b"/srv/Z4.log")
    store = LogStore(state)
    assert store.load() == {key: {"counter": {}}}
    assert store.save({key: {"counter": {"a": 1}}}, {key})
    assert store.load() == {key: {"counter": {"a": 1}}}


def test_jobs_and_their_tallies_are_known(state: Path) -> None:
    store = JobStore(state)
    (job,) = store.jobs()
    assert (*job.task, job.state, job.ended) == ("shop", "main", "pack", "succeeded", 12)
    ((tally,), unfinished) = store.summary()
    assert (tally.ended, tally.unsuccessful, tally.last_success) == (7, 2, 12)
    assert not unfinished


def test_commits_are_counted_on_and_what_is_kept_elsewhere_now_is_gone(state: Path) -> None:
    store = Store(state, Path("/srv/Data.fs"))
    assert store.load() == Known(Counted(42, 99))
    store.save_counted(Counted(43, 100))
    assert store.load() == Known(Counted(43, 100))
    with closing(sqlite3.connect(state)) as now:
        (row,) = now.execute("SELECT * FROM data_fs")
        assert [type(value) for value in row] == [bytes, str, *[type(None)] * 4]
        assert json.loads(row[1]) == {"transactions": 43, "tid": 100}
        assert not now.execute("SELECT 1 FROM sqlite_master WHERE name = 'data_fs_scan'").fetchall()
