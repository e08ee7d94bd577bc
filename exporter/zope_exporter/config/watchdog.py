"""What the configuration file may say of the dead-man timer."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from zope_exporter.clients.http.url import check_url

from .types import FilePath, Name, Seconds, Section, wrong


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


def _positive(seconds: float) -> float:
    if seconds <= 0:
        raise wrong("must be more than 0")
    return seconds


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
    """Whom the mail is from."""
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
    """How often to tell again while the silence lasts."""
    smtp: SmtpConfig | None = None
    """Tell by mail."""
    url: Annotated[str, AfterValidator(_url)] | None = Field(default=None, repr=False)
    """Tell by POST of a JSON object whose `text` is for people, as chats take it."""

    @model_validator(mode="after")
    def _somebody_to_tell(self) -> "WatchdogConfig":
        if self.smtp is None and self.url is None:
            raise wrong("has nobody to tell", "give smtp or url")
        return self
