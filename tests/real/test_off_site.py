"""Backups leave the host as the documentation says; what comes back is proven and restored."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.databases.packing import make_database
from tests.support.databases.repository import tree
from tests.support.programs.debian import tool
from tests.support.programs.documented import run_by
from tests.support.programs.object_store import KEYS, made, object_store
from tests.support.programs.require import require
from tests.support.programs.sandbox import Sandbox, without_proof_of_processes

BLOCKS = {
    (name, there): block.text
    for block in run_by("tests/real/test_off_site.py")
    for name in ("rsync", "restic", "rclone")
    for there in (True, False)
    if name in block.text and ("$ZOPE_EXPORTER_REPOSITORY" in block.text) == there
}
STORE = "https://s3.example.org"
BACKUP = "zope-exporter backup --config.file /etc/zope-exporter/config.yml"


class Vault:
    """Where a program takes the repository of a host, as the documentation has it."""

    def __init__(self, program: str, sandbox: Sandbox, url: str) -> None:
        self._program = program
        self._sandbox = sandbox
        self._url = url
        (sandbox.root / "bin" / program).symlink_to(require(tool, program))
        etc = sandbox.path("/etc/zope-exporter")
        keys = [f"export {name}={value}" for name, value in KEYS.items()]
        # The certificates of whoever runs the tests are none of a store that has none.
        (etc / "vault-keys").write_text("\n".join(["unset AWS_CA_BUNDLE", *keys, ""]))
        (etc / "restic-password").write_text("far away")
        (etc / "off-site").write_text(sandbox.here(self._block(there=True)))
        (etc / "off-site").chmod(0o755)

    def _block(self, there: bool) -> str:
        text = BLOCKS[self._program, there].replace(STORE, self._url)
        return text.replace("vault:/", "/mnt/vault/")

    def fetch(self) -> None:
        done = self._sandbox.run(self._block(there=False))
        assert done.returncode == 0, done.stderr


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    """A host whose backups are taken away by the program that the documentation has."""
    sandbox = Sandbox(tmp_path / "host")
    sandbox.make_site()
    config = sandbox.path("/etc/zope-exporter/config.yml")
    after = sandbox.here("{after: [/etc/zope-exporter/off-site], ")
    config.write_text(config.read_text().replace("{repository: ", f"{after}repository: "))
    sandbox.path("/mnt/vault/backup").mkdir(parents=True)
    return sandbox


@pytest.fixture(params=["rsync", "restic", "rclone"])
def vault(request: pytest.FixtureRequest, sandbox: Sandbox, tmp_path: Path) -> Iterator[Vault]:
    require(made)
    with ExitStack() as ending:
        yield Vault(request.param, sandbox, ending.enter_context(object_store(tmp_path)))


def test_what_was_taken_off_the_host_is_restored_where_nothing_is(
    vault: Vault, sandbox: Sandbox
) -> None:
    data_fs, repository = sandbox.path("/srv/zope/var/Data.fs"), sandbox.path("/backup/intranet")
    for _ in range(2):
        make_database(data_fs, revisions=1)
        done = sandbox.run(BACKUP)
        assert done.returncode == 0, done.stderr
    committed, kept = data_fs.read_bytes(), tree(repository)

    repository.rename(repository.with_name("lost"))
    data_fs.unlink()
    vault.fetch()
    assert tree(repository) == kept
    proven = sandbox.run("zope-exporter verify /backup/intranet/")
    assert proven.returncode == 0, proven.stderr
    restore = "zope-exporter restore /backup/intranet/ /srv/zope/var/Data.fs"
    restored = sandbox.run(
        without_proof_of_processes(f"{restore} --blob-dir /srv/zope/var/blobstorage")
    )
    assert restored.returncode == 0, restored.stderr
    assert data_fs.read_bytes() == committed
