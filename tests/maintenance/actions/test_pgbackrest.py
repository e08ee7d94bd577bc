"""What pgBackRest tells of its backups, in the form of its version 2.53."""

from pathlib import Path

import pytest

from zope_exporter.maintenance.actions.external import ExternalBackup
from zope_exporter.maintenance.actions.pgbackrest import last_of_stanza

GOLDEN = Path(__file__).with_name("golden") / "pgbackrest.json"
LAST_WITHOUT_ERROR = 1795918505.0


def test_the_last_backup_without_an_error_counts() -> None:
    assert last_of_stanza(GOLDEN, "shop") == LAST_WITHOUT_ERROR
    assert last_of_stanza(GOLDEN, "empty") is None
    assert last_of_stanza(GOLDEN, "other") is None


def test_its_age_is_not_that_of_the_file(tmp_path: Path) -> None:
    info = tmp_path / "info.json"
    info.write_bytes(GOLDEN.read_bytes())
    of_file = ExternalBackup("shop", "main", info, 1.0)
    assert of_file.last_success() == info.stat().st_mtime
    assert ExternalBackup("shop", "main", info, 1.0, "shop").last_success() == LAST_WITHOUT_ERROR
    missing = ExternalBackup("shop", "main", tmp_path / "none.json", 1.0, "shop")
    assert missing.last_success() is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}x",
        "[1]",
        "{}",
        '[{"name": "shop"}]',
        '[{"name": "shop", "backup": [{}]}]',
        "[" * 9999,
    ],
)
def test_what_pgbackrest_does_not_print_is_an_error(tmp_path: Path, text: str) -> None:
    info = tmp_path / "info.json"
    info.write_text(text)
    with pytest.raises(OSError, match="it is not what `pgbackrest info"):
        last_of_stanza(info, "shop")
