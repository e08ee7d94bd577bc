"""The list of what can be restored."""

import json
import re
import time
from pathlib import Path

import pytest

from tests.support.databases.maintained import Host
from tests.support.databases.many_backups import make_repository
from tests.support.databases.repository import tree
from tests.support.programs.exporter import zope_exporter
from zope_exporter.maintenance.backup.listing import list_backups

KEYS = {"stamp", "time", "kind", "size", "covers", "proven", "proven_by", "problem"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d")


def test_what_can_be_restored_is_listed_with_its_proof(tmp_path: Path) -> None:
    host = Host(tmp_path)
    assert host.run("backup").returncode == 0
    before = tree(host.repository)
    listed = host.run("backups", "intranet")
    assert listed.returncode == 0, listed.stderr
    heading, columns, row = listed.stdout.splitlines()
    assert heading.startswith(f"main of intranet, 1 in {host.repository}, ")
    assert columns.split()[:3] == ["STAMP", "TIME", "KIND"]
    assert re.search(r"  full  .* by restore$", row), row
    assert len(TIME.findall(row)) == 3
    [shown] = json.loads(host.run("backups", "--json").stdout)
    assert shown.keys() == KEYS | {"site", "database", "repository"}
    assert (shown["site"], shown["database"], shown["kind"]) == ("intranet", "main", "full")
    [piece] = host.repository.glob("*.fs")
    assert (shown["stamp"], shown["size"]) == (piece.stem, piece.stat().st_size)
    assert tree(host.repository) == before


def test_a_repository_is_read_wherever_it_is_even_if_nobody_may_write_to_it(tmp_path: Path) -> None:
    make_repository(tmp_path / "copy", fulls=1, each=3)
    make_repository(tmp_path / "copy/databases/a%2Eb", fulls=1, each=1)
    spoilt = min((tmp_path / "copy").glob("*.deltafs"))
    spoilt.write_bytes(b"")
    for path in (tmp_path / "copy", tmp_path / "copy/databases"):
        path.chmod(0o500)
    run = zope_exporter("backups", tmp_path / "copy", "--json", state_dir=tmp_path / "state")
    assert run.returncode == 0, run.stderr
    shown = json.loads(run.stdout)
    assert [row["database"] for row in shown] == ["main", "main", "main", "a.b"]
    assert [row["problem"] is None for row in shown] == [True, False, False, True]
    assert shown[1]["proven"] is None
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("configured", "arguments", "code", "said"),
    [
        ("", (), 3, "refused: no repository of backups is configured"),
        ("sites: [{name: a, backup: {repository: r}}]", ("b",), 3, "for a site called b"),
        ("sites: [{name: a, backup: {repository: r}}]", (), 1, "no backup was made yet"),
        ("", ("./nothing",), 1, "nothing: is missing"),
        ("nonsense: 1", (), 2, "nonsense"),
    ],
    ids=["none", "other", "not yet", "no directory", "mistake"],
)
def test_what_cannot_be_listed_is_said(
    tmp_path: Path, configured: str, arguments: tuple[str, ...], code: int, said: str
) -> None:
    config = tmp_path / "config.yml"
    config.write_text(f"discover: false\n{configured}\n")
    run = zope_exporter("backups", "--config.file", config, *arguments, state_dir=tmp_path)
    assert (run.returncode, said in run.stderr) == (code, True), run.stderr


def test_a_thousand_backups_are_listed_with_one_look_at_each_file(tmp_path: Path) -> None:
    make_repository(tmp_path / "backups", fulls=20, each=50)
    began = time.process_time()
    rows, problems = list_backups(tmp_path / "backups")
    spent = time.process_time() - began
    assert (len(rows), problems) == (1000, ())
    assert all(row.proven for row in rows)
    # A tenth of that on a machine at rest; all manifests read anew for each backup take minutes.
    assert spent < 10.0
