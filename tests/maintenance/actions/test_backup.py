"""Backups and verifications by the command, and how they keep out of a pack's way."""

import re
import shutil
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.support.databases.maintained import Host
from tests.support.databases.packing import make_database
from tests.support.databases.repository import restored, tree
from tests.support.programs.exporter import DEADLINE, environment, serving, zope_exporter
from tests.support.programs.processes import eventually
from tests.support.zeo.servers import ZeoServer
from tests.support.zopes.environments import Environment


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_backup_is_made_proven_and_seen_by_the_exporter(host: Host, tmp_path: Path) -> None:
    assert host.page() == {}
    first = host.run("backup")
    assert first.returncode == 0, first.stderr
    assert "backup of main of intranet: succeeded, kind: full" in first.stdout
    assert "verified: restore" in first.stdout
    assert restored(host.repository, tmp_path / "restored.fs") == host.data_fs.read_bytes()
    assert host.run("backup", "--quiet").stdout == ""
    assert [job.result["kind"] for job in host.jobs()] == ["full", "unchanged"]
    assert host.run("verify", "intranet").returncode == 0
    assert "OK        intranet  backup main" in host.run("check").stdout
    seen = host.page()
    begun = host.jobs()[1].begun
    assert begun is not None
    assert seen["last_success"] >= begun
    assert seen["last_verified"] >= begun
    assert seen["covered_transaction"] <= seen["last_success"]


def test_a_backup_that_cannot_be_proven_has_failed(host: Host) -> None:
    assert host.run("backup").returncode == 0
    (piece,) = host.repository.glob("*.fs")
    content = bytearray(piece.read_bytes())
    content[len(content) // 2] ^= 1
    piece.chmod(0o600)
    piece.write_bytes(content)
    run = host.run("verify")
    assert run.returncode == 1
    assert piece.name in run.stderr
    assert "do not rely on what is named" in run.stderr
    assert [(job.task.action, job.state) for job in host.jobs()] == [
        ("backup", "succeeded"),
        ("verify", "failed"),
    ]


def test_a_backup_of_a_database_that_lacks_a_blob_succeeds_and_says_so(host: Host) -> None:
    [gone, *_] = sorted(host.data_fs.parent.rglob("*.blob"), reverse=True)
    gone.unlink()
    run = host.run("backup")
    assert run.returncode == 0, run.stderr
    [job] = host.jobs()
    [fault] = job.result["database_faults"]
    assert gone.name in fault
    assert "the database itself is damaged" in host.run("jobs", "1").stdout
    assert "ZopeDatabaseReferencesBroken" in host.run("check").stdout


def test_a_pack_waits_for_a_proven_backup(host: Host) -> None:
    size = host.data_fs.stat().st_size
    early = host.run("pack")
    assert early.returncode == 3
    assert "no backup of this database has ever been proven" in early.stderr
    assert host.data_fs.stat().st_size == size
    assert host.run("backup").returncode == 0
    assert host.run("pack").returncode == 0
    assert host.data_fs.stat().st_size < size
    assert host.jobs()[0].code == "backup"


def test_a_backup_is_tried(host: Host) -> None:
    dry = host.run("backup", "intranet", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "a full backup would be made: " in dry.stderr
    assert ", and the blobs that are new" in dry.stderr
    assert not host.repository.exists()
    assert host.jobs() == []
    host.data_fs.write_bytes(b"FS21 and nothing that is one")
    broken = host.run("backup", "--dry-run")
    assert broken.returncode == 1
    assert "would fail: reading the Data.fs" in broken.stderr


def test_a_pack_is_tried_and_keeps_the_days_it_is_told(host: Host) -> None:
    before = host.data_fs.read_bytes()
    early = host.run("pack", "--dry-run")
    assert early.returncode == 3
    assert "no backup of this database has ever been proven" in early.stderr
    assert host.run("backup").returncode == 0
    dry = host.run("pack", "--dry-run", "--days", "1")
    assert dry.returncode == 0, dry.stderr
    assert "it would be packed through the file" in dry.stderr
    assert "what it would free is not known: no exporter has counted" in dry.stderr
    found = re.search(r"no undo is lost: all is later than (\S+)", dry.stderr)
    assert found
    kept = datetime.now(timezone.utc) - datetime.fromisoformat(found[1])
    assert timedelta(days=1) <= kept <= timedelta(days=1, minutes=10)
    assert host.data_fs.read_bytes() == before
    assert [job.task.action for job in host.jobs()] == ["backup"]
    assert host.run("pack", "--days", "1").returncode == 0
    assert host.data_fs.stat().st_size == len(before)  # all of it is younger
    assert host.run("pack").returncode == 0
    assert host.data_fs.stat().st_size < len(before)


@pytest.mark.parametrize("action", ["pack", "backup"])
def test_promise_5_pack_and_backup_exclude_each_other(host: Host, action: str) -> None:
    assert host.run("backup").returncode == 0
    var = host.data_fs.parent
    before = {path: path.read_bytes() for path in var.rglob("*") if path.is_file()}
    held = ["flock", str(var), "cat"]
    with subprocess.Popen(held, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin
        assert other.stdout
        other.stdin.write(b"locked\n")
        other.stdin.flush()
        assert other.stdout.readline() == b"locked\n"
        run = host.run(action)
        assert run.returncode == 3
        assert f"process {other.pid} (flock) holds the lock of the database" in run.stderr
        command = [sys.executable, "-m", "zope_exporter", action, "--wait", "60"]
        with subprocess.Popen(
            [*command, "--config.file", str(host.config)],
            env=environment(host.directory),
            stderr=subprocess.PIPE,
            text=True,
        ) as waiting:
            assert waiting.stderr
            assert "waiting for process" in waiting.stderr.readline()
            assert {path: path.read_bytes() for path in before} == before
            other.stdin.close()
            waiting.stderr.read()
            assert waiting.wait(DEADLINE) == 0
    assert [job.state for job in host.jobs()] == ["succeeded", "refused", "succeeded"]


def test_backups_of_others_are_watched_and_refused(host: Host, tmp_path: Path) -> None:
    done = tmp_path / "done"
    text = host.config.read_text()
    host.config.write_text(text.replace("repository: backups", f"external: {{file: {done}}}"))
    assert "others make the backups, and no success is known" in host.run("check").stdout
    done.touch()
    assert "made by others and not proven here" in host.run("check").stdout
    assert host.page()["last_success"] == done.stat().st_mtime
    run = host.run("backup")
    assert (run.returncode, "made by another program" in run.stderr) == (3, True)
    assert host.jobs() == []
    assert host.run("backups", "intranet").returncode == 3


def test_a_repository_that_nobody_may_write_to_is_a_failure_with_the_reason(host: Host) -> None:
    host.repository.touch()
    run = host.run("backup")
    assert run.returncode == 1
    assert str(host.repository) in run.stderr
    assert host.repository.read_bytes() == b""


def test_a_backup_that_is_killed_is_interrupted_and_the_next_one_tidies_up(host: Host) -> None:
    make_database(host.data_fs, revisions=30, size=1_000_000)
    host.config.write_text(host.config.read_text().replace("backups}", "backups, gzip: true}"))
    command = [sys.executable, "-m", "zope_exporter", "backup", "--config.file", str(host.config)]
    with subprocess.Popen(command, env=environment(host.directory)) as backup:
        eventually(lambda: list(host.repository.glob("*.tmp")), DEADLINE)
        backup.kill()
    (left,) = host.repository.glob("*.tmp")
    told = host.run("jobs", "1").stdout
    assert "state: interrupted" in told
    assert f"left {left}" in told
    assert host.run("backup").returncode == 0
    assert list(host.repository.glob("*.tmp")) == []


def test_each_database_has_its_repository(tmp_path: Path) -> None:
    conf = tmp_path / "zope.conf"
    sections = [f"instancehome {tmp_path}"]
    for name, mount_point in (("main", "/"), ("catalog", "/catalog")):
        make_database(tmp_path / f"{name}.fs", revisions=2)
        storage = f"<filestorage>\n path {tmp_path}/{name}.fs\n </filestorage>"
        sections.append(f"<zodb_db {name}>\n mount-point {mount_point}\n {storage}\n</zodb_db>")
    conf.write_text("\n".join(sections) + "\n")
    config = tmp_path / "zope-exporter.yml"
    config.write_text(
        "discover: false\n"
        f"sites: [{{name: intranet, instances: [{{zope_conf: {conf}}}],"
        " backup: {repository: backups}}]\n"
    )
    run = zope_exporter("backup", "--config.file", config, state_dir=tmp_path)
    assert run.returncode == 0, run.stderr
    for name, repository in (("main", "backups"), ("catalog", "backups/databases/catalog")):
        assert restored(tmp_path / repository, tmp_path / "restored.fs") == (
            (tmp_path / f"{name}.fs").read_bytes()
        )
    ambiguous = zope_exporter("pack", "--config.file", config, state_dir=tmp_path)
    assert ambiguous.returncode == 3
    assert "name one: intranet --database main, intranet --database catalog" in ambiguous.stderr
    again = zope_exporter("verify", "--config.file", config, state_dir=tmp_path)
    assert again.returncode == 0, again.stderr


def test_of_several_databases_a_failure_outweighs_a_refusal(host: Host) -> None:
    """Else cron and Nagios hear that nothing was touched, and nobody looks."""
    other = host.directory / "other/Data.fs"
    other.parent.mkdir()
    make_database(other)
    with host.config.open("a") as config:
        config.write(
            "  - name: extranet\n"
            f"    instances: [{{data_fs: {other}}}]\n"
            "    backup: {repository: other-backups}\n"
        )
    assert host.run("backup").returncode == 0
    (piece,) = host.repository.glob("*.fs")
    piece.unlink()
    with subprocess.Popen(
        ["flock", other.parent, "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdin.write(b"held\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == b"held\n"
        run = host.run("verify")
        holder.stdin.close()
    assert "extranet: refused" in run.stderr
    assert "intranet: failed" in run.stderr
    assert run.returncode == 1


def judged(host: Host) -> str:
    """What `check` says of the backups of the database, and that it is not content."""
    run = host.run("check")
    assert run.returncode != 0, run.stdout
    lines = [line for line in run.stdout.splitlines() if "backup" in line]
    assert not [line for line in lines if line.startswith("OK")], run.stdout
    return "\n".join(lines)


def test_a_database_that_was_made_anew_is_backed_up_packed_and_found_well_by_nobody(
    host: Host,
) -> None:
    for _ in range(2):
        assert host.run("backup").returncode == 0
    before = tree(host.repository)
    for path in host.data_fs.parent.iterdir():
        (shutil.rmtree if path.is_dir() else Path.unlink)(path)
    make_database(host.data_fs, revisions=2, blobs=1)
    host.data_fs.with_name("Data.fs.lock").unlink()
    for action in ("backup", "verify"):
        run = host.run(action)
        assert run.returncode == 1, run.stdout
        assert "made anew" in run.stderr
        assert "move the repository away" in run.stderr
    packed = host.run("pack")
    assert packed.returncode == 3, packed.stdout
    assert "made anew" in packed.stderr
    assert "there is no complete backup" in judged(host)
    kept = tree(host.repository)
    assert {name: kept.get(name) for name in before if ".verified" not in name} == {
        name: found for name, found in before.items() if ".verified" not in name
    }
    [*_, backup, verify, pack] = host.jobs()
    assert (backup.state, verify.state, pack.state) == ("failed", "failed", "refused")
    assert backup.error.startswith("comparing the transactions with those of the backups: ")
    with serving(host.directory, "--config.file", host.config, log=host.directory / "log") as it:
        counted = it.page()["zope_action_failures_total"]
    for action in ("backup", "verify", "pack"):
        labels = {"site": "intranet", "database": "main", "action": action}
        assert counted[frozenset(labels.items())] == 1


def test_a_site_does_not_live_on_the_backups_of_another(host: Host, tmp_path: Path) -> None:
    """Two hosts, each with a configuration of its own and the same directory mounted."""
    assert host.run("backup").returncode == 0
    (tmp_path / "shop").mkdir()
    shop = Host(tmp_path / "shop")
    shop.config.write_text(
        shop.config.read_text()
        .replace("intranet", "shop")
        .replace("repository: backups", f"repository: {host.repository}")
    )
    before = tree(host.repository)
    for action in ("backup", "verify"):
        run = shop.run(action)
        assert run.returncode == 1, run.stdout
        assert "it is a backup of main of intranet, and this is main of shop" in run.stderr
        assert "give each its own repository" in run.stderr
    packed = shop.run("pack")
    assert packed.returncode == 3, packed.stdout
    assert "main of intranet" in packed.stderr
    assert "there is no complete backup" in judged(shop)
    assert tree(host.repository) == before
    assert host.run("backup").returncode == 0


def test_a_zope_found_beside_a_zeo_server_goes_on_with_its_backups(tmp_path: Path) -> None:
    """The server calls the database 1; the Zope that is a client of it calls it main."""
    server = ZeoServer(Environment("own", Path(sys.prefix)), tmp_path / "zeo")
    make_database(server.data_fs())
    zope_conf = tmp_path / "zope.conf"
    client = server.client().replace("name 1\n", "")
    zope_conf.write_text(
        f"instancehome {tmp_path}\n<zodb_db main>\n  mount-point /\n{client}</zodb_db>\n"
    )
    config = tmp_path / "zope-exporter.yml"
    alone = (
        "discover: false\n"
        "sites:\n"
        "  - name: intranet\n"
        "    backup: {repository: backups}\n"
        f"    zeo: [{{conf: {server.zeo_conf}}}]\n"
    )
    said = []
    for text in (alone, alone + f"    instances: [{{zope_conf: {zope_conf}}}]\n", alone):
        config.write_text(text)
        run = zope_exporter("backup", "--config.file", config, state_dir=tmp_path / "state")
        assert run.returncode == 0, run.stderr
        said.append(", ".join(run.stdout.split(", ")[:2]))
    assert said == [
        "backup of 1 of intranet: succeeded, kind: full",
        "backup of main of intranet: succeeded, kind: unchanged",
        "backup of 1 of intranet: succeeded, kind: unchanged",
    ]
    assert [each.name for each in (tmp_path / "backups/databases").iterdir()] == ["1"]
    assert not list((tmp_path / "backups").glob("*.fs"))
