"""What the configuration file may say of actions, backups, and the dead-man timer."""

from typing import Annotated, Final, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from zope_exporter.clients.http.url import check_url

from .types import PROGRAM_ALONE, SERVER_ALONE, FilePath, Name, Seconds, Section, wrong

ActionName = Literal["pack", "backup", "verify"]
ACTIONS: tuple[ActionName, ...] = get_args(ActionName)
"""All that can be done to a database, in the order in which it is offered."""

PACK: Final = "pack"
BACKUP: Final = "backup"
VERIFY: Final = "verify"


def _positive(seconds: float) -> float:
    if seconds <= 0:
        raise wrong("must be more than 0")
    return seconds


class PackConfig(Section):
    days: Annotated[int, Field(ge=0)] = 1
    """How many days of history to keep for undo."""
    require_backup: bool = True
    """Whether to refuse a pack without a proven backup younger than the site's `backup.max_age`;
    where no backup is configured, none is required."""
    cooldown: Seconds = 6 * 3600.0
    """How long after the last start a request over HTTP or by an alert is refused."""
    max_quiet: Annotated[Seconds, AfterValidator(_positive)] = 86400.0
    """How long nothing may be seen of a pack, neither a growing Data.fs.pack nor output, before its
    end is not waited for any longer. Of a Data.fs on another host nothing is ever seen."""


class RepeatConfig(Section):
    cooldown: Seconds = 900.0
    """How long after the last start a request over HTTP or by an alert is refused."""


class ActionSettings(Section):
    pack: PackConfig = PackConfig.model_construct()
    """How to pack."""
    backup: RepeatConfig = RepeatConfig.model_construct()
    """When a backup may be requested; the repository is configured under `sites`."""
    verify: RepeatConfig = RepeatConfig.model_construct()
    """When a verification may be requested."""


def _url(text: str) -> str:
    reason = check_url(text)
    if reason is not None:
        raise wrong(reason, "such as https://chat.example.org/hooks/abc")
    return text


def _address(text: str) -> str:
    local, _, domain = text.rpartition("@")
    if not local or not domain or not text.isprintable() or set(text) & set(" <>,;"):
        raise wrong("is not a mail address", "such as admin@example.org")
    return text


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Address = Annotated[str, AfterValidator(_address)]
Addresses = Annotated[tuple[Address, ...], BeforeValidator(_listed), Field(min_length=1)]


class SmtpConfig(Section):
    host: Name
    """The mail server."""
    port: Annotated[int, Field(ge=1, le=65535)] = 25
    """Its port; usually 25, 587 with starttls, 465 with tls."""
    sender: Annotated[Address, Field(alias="from")]
    """Sender of the mail."""
    to: Addresses
    """Whom to send it to, one address or several."""
    tls: Literal["none", "starttls", "tls"] = "none"
    """Whether to encrypt: not, after STARTTLS, or from the first byte."""
    ca_file: FilePath | None = None
    """Certificates to trust, if not those of the system."""
    username: str | None = None
    """Name to log in with; only where the connection is encrypted."""
    password_file: FilePath | None = None
    """File with the password, read when a mail is sent."""

    @model_validator(mode="after")
    def _login(self) -> "SmtpConfig":
        if (self.username is None) != (self.password_file is None):
            raise wrong("a login takes both username and password_file", "give both or neither")
        if self.username is not None and self.tls == "none":
            raise wrong("would send the password in the clear", "set tls: starttls")
        return self


class WatchdogConfig(Section):
    alerts: tuple[Name, ...] = ("ZopeWatchdog", "Watchdog")
    """Alerts that always fire; as long as one of them arrives, alerting works."""
    max_silence: Annotated[Seconds, AfterValidator(_positive)] = 900.0
    """How long none of them may arrive; more than Alertmanager's repeat_interval of their route."""
    repeat: Annotated[Seconds, AfterValidator(_positive)] = 14400.0
    """How often to notify again while the silence lasts."""
    smtp: SmtpConfig | None = None
    """Notify by mail."""
    url: Annotated[str, AfterValidator(_url), SERVER_ALONE] | None = Field(None, repr=False)
    """Notify by a POST of a JSON object with a readable `text`, in the format of chat programs."""

    @model_validator(mode="after")
    def _somebody_to_tell(self) -> "WatchdogConfig":
        if self.smtp is None and self.url is None:
            raise wrong("has no recipient", "give smtp or url")
        return self


class ActionsConfig(ActionSettings):
    token_file: FilePath
    """The tokens for requests, one in each line."""
    on_alert: dict[Name, ActionName] = Field(default_factory=dict)
    """What to do when an alert of Alertmanager fires: an action by the name of the alert."""
    instances: tuple[Name, ...] = ()
    """The label `instance` of this exporter's alerts, where Prometheus gives it another one than
    the address it scrapes; alerts of other instances are left alone."""
    watchdog: WatchdogConfig | None = None
    """Whom to notify when the alerts of Alertmanager that always fire stop arriving."""


def _command(words: tuple[str, ...]) -> tuple[str, ...]:
    if words and not words[0].startswith("/"):
        raise wrong("does not begin with the path of a program", "such as [/usr/bin/rsync, -a, …]")
    if any("\0" in word for word in words):
        raise wrong("has a NUL character")
    return words


Command = Annotated[tuple[str, ...], AfterValidator(_command), PROGRAM_ALONE]


class ExternalConfig(Section):
    file: FilePath
    """What shows the last success: a file that is written or touched after it, or a directory whose
    newest file is."""
    stanza: Name | None = None
    """The stanza of pgBackRest whose backups they are: `file` then holds what `pgbackrest info
    --output=json` printed, and the last backup in it that has no error counts."""
    max_age: Seconds | None = None
    """How old that may be; without it, `backup.max_age`."""


class VerifyConfig(Section):
    level: Literal["manifest", "checksums", "restore"] = "restore"
    """How thoroughly everything is proven from time to time: by names and sizes, by reading all of
    it, or by a trial restore of the newest backup as well."""
    every: Seconds = 7 * 86400.0
    """How long such a proof is enough; 0s: each time. There is a warning if `backup_unverified` of
    the thresholds (8d) has passed without one."""


def _level_alone(value: object) -> object:
    return {"level": value, "every": 0.0} if isinstance(value, str) else value


class BackupConfig(Section):
    repository: FilePath | None = None
    """Directory of the backups of the database main; those of another database are in
    `databases/NAME` in it. Plain `repozo -R` restores from them."""
    external: ExternalConfig | None = None
    """In place of `repository`: another program makes the backups, such as pg_dump for a
    RelStorage, and only their age is watched."""
    elsewhere: bool = False
    """In place of both: backups are made where the exporter cannot see them, or none are wanted.
    Then no alert says that it knows of none."""
    databases: tuple[Name, ...] = ()
    """Which databases of the site to back up, or to watch the backups of; without any, all whose
    Data.fs is on this host, or all."""
    max_age: Seconds = 26 * 3600.0
    """How long a commit may go without a proven backup that covers it."""
    keep_full: Annotated[int, Field(ge=1)] = 4
    """How many full backups to keep, with the incremental ones after them. The keys below keep
    more, never less, each full one with all that belongs to it."""
    keep_for: Seconds = 0.0
    """For how long every state is to be restorable, such as 30d."""
    keep_daily: Annotated[int, Field(ge=0)] = 0
    """For how many days that have backups to keep the last one; days, weeks and months are those of
    UTC."""
    keep_weekly: Annotated[int, Field(ge=0)] = 0
    """For how many weeks to keep the last one."""
    keep_monthly: Annotated[int, Field(ge=0)] = 0
    """For how many months to keep the last one."""
    gzip: bool = False
    """Whether to compress."""
    hard_links: bool = False
    """Whether blobs in the repository may be the files of the database itself, where both are on
    one file system: they take no room, and what damages one of them damages all its backups."""
    verify: Annotated[VerifyConfig, BeforeValidator(_level_alone)] = VerifyConfig.model_construct()
    """How the backups are proven. Each one is proven immediately after it was made, by the
    checksums of all that is new in it; with a level alone, such as `verify: restore`, all of them
    are proven each time."""
    before: Command = Field(default=(), repr=False)
    """A program and its arguments, as a list, to run before each backup, as the user of
    zope-exporter and without a shell; if it fails, so does the backup."""
    after: Command = Field(default=(), repr=False)
    """Program to run after each backup that was started; its environment contains
    ZOPE_EXPORTER_RESULT, `succeeded` or `failed`. If it fails, the job fails, and the backup
    stays. It does not run if `before` failed or the job was interrupted."""
    command_timeout: Annotated[Seconds, AfterValidator(_positive)] = 600.0
    """How long each of them may take before it is stopped."""

    @model_validator(mode="after")
    def _made_by_one(self) -> "BackupConfig":
        if (self.repository is not None) + (self.external is not None) + self.elsewhere != 1:
            reason = "takes either repository or external, or elsewhere: true"
            raise wrong(reason, "external is for backups that another program makes")
        return self
