"""What has made a Data.fs grow, as a command tells it."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.databases import datafs
from tests.support.databases.history import compressed, record
from tests.support.databases.written import Writer
from tests.support.programs.exporter import zope_exporter

ITEM, SESSION = record(5000, [], "products.news Item"), record(200, [], "Products.Transience T")
KEYS = ["key", "bytes", "records", "transactions"]
Write = Callable[[float], int]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "Data.fs"


@pytest.fixture
def config(tmp_path: Path, path: Path) -> Path:
    config = tmp_path / "config.yml"
    config.write_text(
        "discover: false\n"
        "sites:\n"
        f"  - {{name: intranet, instances: [{{data_fs: {path}}}]}}\n"
        "  - {name: elsewhere, zeo: [{address: '127.0.0.1:1'}]}\n"
    )
    return config


def write(path: Path, now: float) -> int:
    """Write an import of two days ago, and today an edit and reads that write."""
    with datafs.storage_at(path) as storage:
        writer = Writer(storage)
        writer.commit(now - 2 * 86400, "/import", "admin", [ITEM] * 5)
        appended = writer.commit(now - 3600, "/Plone/news/edit", "acl_users jane", [ITEM])
        for number in range(30):
            path_info = f"/Plone/page{number}/counter"
            appended += writer.commit(now - number, path_info, " None", [compressed(SESSION)])
    return appended


def test_the_day_of_a_site(tmp_path: Path, path: Path, config: Path) -> None:
    total = write(path, time.time())
    size = path.stat().st_size
    flags = "--config.file", config
    run = zope_exporter("growth", "intranet", *flags, state_dir=tmp_path)
    assert run.returncode == 0, run.stderr
    first, facts, _, heading, *rows = run.stdout.splitlines()
    assert first == f"main of intranet, {path}"
    assert " in 31 transactions with 31 records, " in facts
    assert heading.split() == ["CLASS", "SIZE", "SHARE", "RECORDS", "TRANSACTIONS"]
    assert [row.split()[0] for row in rows[:3]] == [
        "Products.Transience.T",
        "products.news.Item",
        "other",
    ]
    assert "Sessions: " in run.stdout
    assert "counter wrote" in run.stdout
    told = json.loads(
        zope_exporter("growth", "intranet", "--json", *flags, state_dir=tmp_path).stdout
    )
    assert told["total_bytes"] == sum(row["bytes"] for row in told["rows"]) == total
    assert [[*row][1:] for row in told["rows"]] == [KEYS] * 3
    assert told["databases"][0]["data_fs"] == str(path)
    week = zope_exporter("growth", "--since", "7d", "--json", *flags, state_dir=tmp_path)
    assert json.loads(week.stdout)["total_bytes"] == size - 4


@pytest.mark.parametrize(
    ("by", "first"),
    [("path", "/Plone/news/edit"), ("user", "(anonymous)"), ("class", "Products.Transience.T")],
)
def test_a_file_alone(tmp_path: Path, path: Path, by: str, first: str) -> None:
    total = write(path, time.time())
    flags = "--data-fs", path, "--by", by, "--json"
    run = zope_exporter("growth", *flags, state_dir=tmp_path / "state")
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    assert told["by"] == by
    assert told["total_bytes"] == sum(row["bytes"] for row in told["rows"]) == total
    largest = max(told["rows"], key=lambda row: row["bytes"])
    assert largest["key"] == first
    assert len(told["rows"]) <= 21
    assert not (tmp_path / "state").exists()


def test_of_an_old_copy_its_last_day_is_told(tmp_path: Path, path: Path) -> None:
    total = write(path, time.time() - 400 * 86400)
    run = zope_exporter("growth", "--data-fs", path, "--json", state_dir=tmp_path)
    assert json.loads(run.stdout)["total_bytes"] == total
    run = zope_exporter("growth", "--data-fs", path, "--since", "24h", state_dir=tmp_path)
    assert run.returncode == 0
    assert "nothing was written in that time; the last transaction is of 20" in run.stdout


def test_what_others_have_named_does_not_reach_the_terminal(tmp_path: Path, path: Path) -> None:
    evil = "\x1b]0;title\x07\x1b[2J" + "x" * 5000
    with datafs.storage_at(path) as storage:
        data = record(10, [], f"m{evil[:900]} C")
        Writer(storage).commit(time.time(), evil, evil, [data])
    for by in ("class", "path", "user"):
        run = zope_exporter("growth", "--data-fs", path, "--by", by, state_dir=tmp_path)
        assert run.returncode == 0, run.stderr
        assert "\x1b" not in run.stdout
        assert "\\x1b" in run.stdout
        assert max(map(len, run.stdout.splitlines())) < 300


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("nobody",), 3, "no site is called nobody; known: intranet, elsewhere"),
        (("elsewhere",), 3, "no database of elsewhere has a Data.fs on this host"),
        (("--database", "other"), 3, "no database of the name other has a Data.fs"),
        (("intranet", "--data-fs", "x"), 2, "not both"),
        (("intranet", "--since", "yesterday"), 2, "no time span such as 90m, 24h or 7d"),
        (("intranet",), 1, "Data.fs is missing"),
        (("--data-fs", "/proc/version"), 1, "does not begin with FS21 or FS30"),
        (("--data-fs", "/dev/zero"), 1, "not a regular file"),
    ],
)
def test_what_cannot_be_told(
    tmp_path: Path, config: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    run = zope_exporter("growth", *arguments, "--config.file", config, state_dir=tmp_path)
    assert (run.returncode, said in run.stderr) == (code, True), run.stderr
