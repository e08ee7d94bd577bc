"""Backups leave the host as the documentation says; what comes back is proven and restored."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases.maintained import Host
from tests.support.databases.packing import make_database
from tests.support.databases.repository import tree
from tests.support.programs.commands import run
from tests.support.programs.debian import tool
from tests.support.programs.exporter import zope_exporter
from tests.support.programs.object_store import KEYS, made, object_store
from tests.support.programs.require import require

BUCKET = "vault"
# What the documentation has, with the places of this test.
_RESTIC = """\
export RESTIC_PASSWORD_FILE="{directory}/password" RESTIC_CACHE_DIR="{directory}/cache"
export RESTIC_REPOSITORY="s3:{url}/{bucket}"
"""
_RCLONE = """\
export RCLONE_S3_PROVIDER=Other RCLONE_S3_ENDPOINT="{url}" RCLONE_S3_ENV_AUTH=true
"""
SENDING = {
    "rsync": '"{program}" -aH --delete "$ZOPE_EXPORTER_REPOSITORY/" "{away}/"\n',
    "restic": _RESTIC
    + """\
"{program}" cat config >/dev/null 2>&1 || "{program}" init
"{program}" backup "$ZOPE_EXPORTER_REPOSITORY"
""",
    "rclone": _RCLONE + '"{program}" sync "$ZOPE_EXPORTER_REPOSITORY" ":s3:{bucket}"\n',
}
FETCHING = {
    "rsync": '"{program}" -aH "{away}/" "{back}/"\n',
    "restic": _RESTIC + '"{program}" restore latest --target "{back}"\n',
    "rclone": _RCLONE + '"{program}" sync ":s3:{bucket}" "{back}"\n',
}
# The certificates of whoever runs the tests are none of the store's, which has none.
KEYS_ALONE = "unset AWS_CA_BUNDLE\n" + "".join(f"export {key}={KEYS[key]}\n" for key in KEYS)


class Carrier:
    """A program that takes a repository to another place, and gets it back from there."""

    def __init__(self, name: str, directory: Path, url: str) -> None:
        self.directory = directory
        self.back = directory / "back"
        self._log = directory / "carrier.log"
        (directory / "password").write_text("far away")
        places = {
            "program": require(tool, name),
            "directory": directory,
            "url": url,
            "bucket": BUCKET,
            "away": directory / "away",
            "back": self.back,
        }
        self.send = self._script("send", KEYS_ALONE + SENDING[name].format(**places))
        self._fetch = self._script("fetch", KEYS_ALONE + FETCHING[name].format(**places))

    def _script(self, name: str, lines: str) -> Path:
        path = self.directory / name
        path.write_text(f"#!/bin/sh\nset -eu\n{lines}")
        path.chmod(0o755)
        return path

    def fetch(self) -> Path:
        """Return the repository that came back."""
        self.back.mkdir()
        run([self._fetch], self._log)
        manifest = min(self.back.rglob("*.manifest"))
        return manifest.parent


@pytest.fixture(params=SENDING)
def carrier(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Carrier]:
    require(made)
    with object_store(tmp_path) as url:
        yield Carrier(request.param, tmp_path, url)


def test_what_was_taken_off_the_host_is_restored_where_nothing_is(
    carrier: Carrier, tmp_path: Path
) -> None:
    host = Host(tmp_path)
    configured = host.config.read_text()
    host.config.write_text(
        configured.replace(
            "{repository: backups}", f"{{repository: backups, after: [{carrier.send}]}}"
        )
    )
    for _ in range(2):
        backup = host.run("backup")
        assert backup.returncode == 0, backup.stderr
        make_database(host.data_fs, revisions=1, blobs=1)
    assert host.run("backup").returncode == 0
    came = carrier.fetch()
    assert tree(came) == tree(host.repository)
    state = tmp_path / "elsewhere"
    proven = zope_exporter("verify", f"{came}/", state_dir=state)
    assert proven.returncode == 0, proven.stderr
    new = tmp_path / "new"
    new.mkdir()
    restored = zope_exporter(
        "restore", f"{came}/", new / "Data.fs", "--blob-dir", new / "blobs", state_dir=state
    )
    assert restored.returncode == 0, restored.stderr
    assert (new / "Data.fs").read_bytes() == host.data_fs.read_bytes()
    assert any((new / "blobs").rglob("*.blob"))
