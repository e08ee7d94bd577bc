"""A site with a real Data.fs, whose backups an alert asks for."""

from pathlib import Path
from typing import Any

import yaml

from tests.support.databases.zodb import change


def backed_up_site(
    directory: Path, token: str, site: str, zope: str, **actions: dict[str, Any]
) -> Path:
    """Make the database below `directory`; return the configuration of its exporter."""
    data_fs = directory / zope / "var/Data.fs"
    data_fs.parent.mkdir(parents=True)
    change(data_fs, lambda root: root.update(page="text"))
    token_file = directory / "token"
    token_file.write_text(f"{token}\n")
    token_file.chmod(0o600)
    watched = {
        "name": site,
        "instances": [{"name": zope, "data_fs": str(data_fs)}],
        "backup": {"repository": str(directory / "backup")},
    }
    allowed = {
        "token_file": str(token_file),
        "on_alert": {"ZopeBackupOverdue": "backup"},
        **actions,
    }
    path = directory / "config.yml"
    path.write_text(yaml.safe_dump({"discover": False, "sites": [watched], "actions": allowed}))
    return path
