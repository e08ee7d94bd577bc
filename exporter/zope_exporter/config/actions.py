"""What the configuration file may say of actions, and of backups."""

from typing import Annotated, Final, Literal, get_args

from pydantic import Field

from .types import FilePath, Name, Seconds, Section
from .watchdog import WatchdogConfig

ActionName = Literal["pack", "backup", "verify"]
ACTIONS: tuple[ActionName, ...] = get_args(ActionName)
"""All that can be done to a database, in the order in which it is offered."""

PACK: Final = "pack"
BACKUP: Final = "backup"
VERIFY: Final = "verify"


class PackConfig(Section):
    days: Annotated[int, Field(ge=0)] = 1
    """How many days of history to keep for undo."""
    require_backup: bool = True
    """Whether to refuse a pack without a proven backup younger than the site's `backup.max_age`;
    where no backup is configured, none is required."""
    cooldown: Seconds = 6 * 3600.0
    """How long after the last one began a request over HTTP or by an alert is refused."""


class RepeatConfig(Section):
    cooldown: Seconds = 900.0
    """How long after the last one began a request over HTTP or by an alert is refused."""


class ActionSettings(Section):
    pack: PackConfig = PackConfig()
    """How to pack."""
    backup: RepeatConfig = RepeatConfig()
    """When a backup may be asked for; where it goes is said under `sites`."""
    verify: RepeatConfig = RepeatConfig()
    """When a verification may be asked for."""


class ActionsConfig(ActionSettings):
    token_file: FilePath
    """The tokens that requests must show, a line each."""
    on_alert: dict[Name, ActionName] = Field(default_factory=dict)
    """What to do when Alertmanager says that an alert fires: an action by the alert's name."""
    watchdog: WatchdogConfig | None = None
    """Whom to tell when Alertmanager's alerts that always fire stop arriving."""


class BackupConfig(Section):
    repository: FilePath
    """Directory of the backups of the database main; those of another database are in
    `databases/NAME` in it. Plain `repozo -R` restores from them."""
    databases: tuple[Name, ...] = ()
    """Which databases of the site to back up; without any, all whose Data.fs is on this host."""
    max_age: Seconds = 26 * 3600.0
    """How long a commit may go without a proven backup that covers it."""
    keep_full: Annotated[int, Field(ge=1)] = 4
    """How many full backups to keep, with the incremental ones after them."""
    gzip: bool = False
    """Whether to compress."""
    verify: Literal["manifest", "checksums", "restore"] = "restore"
    """How thoroughly every backup is proven right after it was made."""
