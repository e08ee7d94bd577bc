"""What the configuration file may say. Every key is optional but for the names of things."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, PlainSerializer, model_validator

from zope_exporter.clients.http.url import check_url, without_credentials
from zope_exporter.discovery.conf.address import zeo_address

from .actions import ActionsConfig, BackupConfig
from .logs import LogsConfig
from .types import Bytes, FilePath, Name, Regex, Seconds, Section, UnixSocket, unique, wrong

MAX_PROBE_SECONDS = 60.0
SCAN_MEMORY = 256_000_000


def _probe_timeout(seconds: float) -> float:
    if not 0 < seconds <= MAX_PROBE_SECONDS:
        raise wrong("must be more than 0 and at most 60s", "Prometheus itself waits 10s by default")
    return seconds


def _url(text: str) -> str:
    reason = check_url(text)
    if reason is not None:
        raise wrong(reason, "such as http://127.0.0.1:8080/ok")
    return text


def _zmi_url(text: str) -> str:
    url = _url(text)
    if "@" in url or "?" in url or "#" in url:
        raise wrong("may have neither login nor query", "give username and password_file")
    return url


def _username(text: str) -> str:
    if not text.isprintable() or ":" in text or not text:
        raise wrong("cannot be a user name")
    return text


def _zeo_address(text: str) -> str:
    try:
        return zeo_address(text)
    except ValueError:
        raise wrong("is not an address", "host:port, or the path of a socket") from None


ZeoAddress = Annotated[str, AfterValidator(_zeo_address)]
ShownUrl = PlainSerializer(without_credentials, when_used="json")
StatusCode = Annotated[int, Field(ge=100, le=599)]


class PingConfig(Section):
    name: Name
    """Label `target`."""
    url: Annotated[str, AfterValidator(_url), ShownUrl]
    """Address to fetch by GET; `user:password@` is sent as basic authentication and never shown."""
    expect: str | None = None
    """The exact body, without white space at its ends."""
    expect_regex: Regex | None = None
    """A pattern that has to be found in the body, in RE2 syntax."""
    status: tuple[StatusCode, ...] = ()
    """Status codes that count as good; without it any 2xx."""
    timeout: Annotated[Seconds, AfterValidator(_probe_timeout)] = 5.0
    """Limit for everything from name resolution to the last byte."""

    @model_validator(mode="after")
    def _one_expectation(self) -> "PingConfig":
        if self.expect is not None and self.expect_regex is not None:
            raise wrong("has both expect and expect_regex", "keep one")
        return self


class ZmiConfig(Section):
    url: Annotated[str, AfterValidator(_zmi_url)]
    """Root of this Zope, such as http://127.0.0.1:8080; best not through a cache or balancer."""
    username: Annotated[str, AfterValidator(_username)]
    """A user with the role Manager in Zope's own root."""
    password_file: FilePath
    """File that contains only the password; read again at each visit."""


class InstanceConfig(Section):
    zope_conf: FilePath | None = None
    """Zope's zope.conf; what is not given below is read from it."""
    wsgi_ini: FilePath | None = None
    """Zope's zope.ini or wsgi.ini; names zope.conf, the address and the logs."""
    name: Name | None = None
    """Label `zope`; by default the name of the instance directory."""
    data_fs: FilePath | None = None
    """The Data.fs of the main database."""
    blob_dir: FilePath | None = None
    """The blob directory of the main database."""
    access_log: FilePath | None = None
    """The access log."""
    event_log: FilePath | None = None
    """The event log."""
    pid_file: FilePath | None = None
    """File with the process id, for a Zope whose command line does not name its configuration."""
    agent: UnixSocket | None = None
    """Socket of the agent inside this Zope, or a directory that contains it, as `unix:/path`; by
    default as in zope.conf. It is sufficient to watch a Zope in another container."""

    zmi: ZmiConfig | None = None
    """Where this Zope has no agent: a login for its management pages, visited once a minute;
    without other keys, for a Zope that runs on another host."""

    @model_validator(mode="after")
    def _something_to_go_by(self) -> "InstanceConfig":
        if not (self.zope_conf or self.wsgi_ini or self.data_fs or self.agent or self.zmi):
            raise wrong("names nothing to watch", "give zope_conf, wsgi_ini, data_fs, agent or zmi")
        return self


class ZeoConfig(Section):
    conf: FilePath | None = None
    """The zeo.conf of a server on this host."""
    address: ZeoAddress | None = None
    """Where it listens, as host:port or the path of a socket, if it differs from zeo.conf."""
    monitor_address: ZeoAddress | None = None
    """The monitor-address of a server of Zope 2, if its zeo.conf cannot be read."""
    ca_file: FilePath | None = None
    """File or directory with the certificates by which to know a server with TLS."""
    cert_file: FilePath | None = None
    """Certificate to show to the server, in PEM format."""
    key_file: FilePath | None = None
    """Its key without a password, if it is not in cert_file."""
    server_hostname: str | None = None
    """The name in the server's certificate, if not the host of its address."""

    @model_validator(mode="after")
    def _something_to_ask(self) -> "ZeoConfig":
        if self.conf is None and self.address is None:
            raise wrong("names no server", "give conf or address")
        if self.key_file and not self.cert_file:
            raise wrong("has a key_file without cert_file", "give both")
        if self.server_hostname and not (self.ca_file or self.cert_file):
            raise wrong("has server_hostname without TLS", "give ca_file and cert_file")
        return self


class SiteConfig(Section):
    name: Name
    """Label `site`. What discovery finds under this name is added to what is given here, if its
    configuration has the same owner."""
    spans_hosts: bool = False
    """Whether the site of this name on other hosts is the same one: it is down when it answers on
    none of them. Without it, sites of one name on two hosts are different, unless their Zopes
    use one ZEO server or SQL database."""
    instances: Annotated[tuple[InstanceConfig, ...], unique("instances")] = ()
    """Its Zopes, if they are not found automatically or should have another name."""
    zeo: tuple[ZeoConfig, ...] = ()
    """Its ZEO servers, if they are not found automatically or require a certificate."""
    ping: Annotated[tuple[PingConfig, ...], unique("targets")] = ()
    """Addresses to probe; without any, every Zope of the site is probed at its root."""
    logs: LogsConfig = LogsConfig.model_construct()
    """Logs that are not found automatically, and patterns to count in all logs of the site."""
    backup: BackupConfig | None = None
    """Where and how to back up its databases."""


class Config(Section):
    state_dir: FilePath | None = None
    """Directory for the state; by default $STATE_DIRECTORY, else /var/lib/zope-exporter, else
    ~/.local/state/zope-exporter, the first one that is writable."""
    scan_memory: Bytes = SCAN_MEMORY
    """How much memory the scans of all Data.fs may use; what they need beyond it is kept in files
    without a name in `state_dir` until they end."""
    discover: bool = True
    """Whether to search for running Zopes and ZEO servers beside those given under `sites`."""
    sites: Annotated[tuple[SiteConfig, ...], unique("sites")] = ()
    """What to watch in addition to, or differently from, what is found automatically."""
    actions: ActionsConfig | None = None
    """What may be requested over HTTP; without this section, nothing."""
    links: dict[Name, Annotated[str, AfterValidator(_url), ShownUrl]] = Field(default_factory=dict)
    """Where to go from the status page, by name: the addresses of your Grafana, Prometheus and
    Alertmanager."""
    thresholds: FilePath | None = None
    """Your own thresholds, the file that `zope-exporter rules --thresholds` takes: `check` and the
    status page then use the same numbers as the alerts."""

    @property
    def repositories(self) -> dict[str, Path]:
        """The repository of backups of each site that has one of ours."""
        found = ((each.name, each.backup) for each in self.sites)
        return {name: backup.repository for name, backup in found if backup and backup.repository}

    @model_validator(mode="after")
    def _a_repository_for_each(self) -> "Config":
        # Not by Path.resolve, which up to Python 3.12 raises RuntimeError for links in a circle.
        given = [site.backup.repository for site in self.sites if site.backup]
        directories = [Path(os.path.realpath(each)) for each in given if each]
        for number, directory in enumerate(directories):
            for other in directories[:number]:
                if other == directory:
                    reason = f"two sites have their backups in {directory}"
                    raise wrong(reason, "give each a repository of its own: old ones are removed")
                if other.is_relative_to(directory) or directory.is_relative_to(other):
                    reason = (
                        f"of two repositories, {other} and {directory}, one is within the other"
                    )
                    raise wrong(
                        reason,
                        "give each a directory of its own: in databases/NAME of the outer one are"
                        " the backups of another database of its site",
                    )
        return self
