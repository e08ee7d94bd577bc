"""The web configuration file, in the schema Prometheus' own exporters share."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import bcrypt
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from zope_exporter.config.load import ConfigError, Document, Problem, read, validate
from zope_exporter.config.types import FilePath, Seconds, Section, wrong

from .reloading_config import ReloadingConfig

# What the schema knows and we do not do; to pass over it in silence would drop a protection.
_UNSUPPORTED = (
    "http_server_config.http2",
    "tls_server_config.cert",
    "tls_server_config.key",
    "tls_server_config.client_ca",
    "tls_server_config.client_allowed_sans",
)
# The headers that may be set, with the values they may have; without a list any value goes.
_HEADERS: dict[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
# By the names of Go, in which all exporters have them, what OpenSSL calls them.
CIPHER_SUITES = {
    f"TLS_ECDHE_{key}_WITH_{go}": f"ECDHE-{key}-{openssl}"
    for key in ("ECDSA", "RSA")
    for go, openssl in {
        "AES_128_GCM_SHA256": "AES128-GCM-SHA256",
        "AES_256_GCM_SHA384": "AES256-GCM-SHA384",
        "CHACHA20_POLY1305_SHA256": "CHACHA20-POLY1305",
        "AES_128_CBC_SHA": "AES128-SHA",
        "AES_256_CBC_SHA": "AES256-SHA",
    }.items()
}
# Those of TLS 1.3 may be named, but are always all on, as with Go.
CIPHER_SUITES_13 = (
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
)
CURVES = {
    "CurveP256": "prime256v1",
    "CurveP384": "secp384r1",
    "CurveP521": "secp521r1",
    "X25519": "X25519",
}
_BCRYPT = re.compile(r"\$2[aby]\$(0[4-9]|[12]\d|3[01])(\$[./A-Za-z0-9]{53})")


def _user(name: str) -> str:
    if ":" in name or not name.isprintable():
        raise wrong("no such user can log in", "a name has no colon and no control character")
    return name


def _bcrypt_hash(text: str) -> str:
    match = _BCRYPT.fullmatch(text)
    try:
        # At the lowest cost, since the rounds tell nothing about whether it is well-formed.
        bcrypt.checkpw(b"", b"$2b$04" + match[2].encode() if match else b"")
    except ValueError:
        raise wrong("is not a bcrypt hash", "make one with: htpasswd -nBC 10 NAME") from None
    return text


def _headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if name not in _HEADERS:
            raise wrong("names a header that cannot be set", f"only {', '.join(_HEADERS)}")
        allowed = _HEADERS[name]
        if allowed and value.lower() not in allowed:
            raise wrong(f"gives {name} a value it does not have", f"write {' or '.join(allowed)}")
        if not value.isascii() or not value.isprintable():
            raise wrong(f"gives {name} a value no header can have", "use printable ASCII only")
    return headers


def _one_of(known: Iterable[str]) -> AfterValidator:
    def check(name: str) -> str:
        if name not in known:
            raise wrong(f"{name} is not known", f"known here: {', '.join(known)}")
        return name

    return AfterValidator(check)


def _zero(value: object) -> object:
    return "0s" if value in (0, "0") and value is not False else value


class TLSConfig(Section):
    """How to speak TLS; all files are PEM and are read again when they change."""

    cert_file: FilePath
    key_file: FilePath
    client_ca_file: FilePath | None = None
    client_auth_type: Literal[
        "NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"
    ] = "NoClientCert"
    min_version: Literal["TLS12", "TLS13"] = "TLS12"
    max_version: Literal["TLS12", "TLS13"] = "TLS13"
    cipher_suites: tuple[Annotated[str, _one_of((*CIPHER_SUITES, *CIPHER_SUITES_13))], ...] = ()
    prefer_server_cipher_suites: bool = True
    curve_preferences: tuple[Annotated[str, _one_of(CURVES)], ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> "TLSConfig":
        if self.client_ca_file and self.client_auth_type == "NoClientCert":
            raise wrong(
                "client_ca_file has no effect without client_auth_type",
                "set client_auth_type: RequireAndVerifyClientCert",
            )
        if self.client_auth_type != "NoClientCert" and not self.client_ca_file:
            raise wrong(
                f"client_auth_type {self.client_auth_type} has nothing to verify against",
                "give client_ca_file",
            )
        if self.min_version > self.max_version:
            raise wrong("min_version is above max_version", "no client could ever connect")
        if self.only_13 and self.max_version == "TLS12":
            raise wrong("cipher_suites has none of TLS 1.2", "no client could ever connect")
        return self

    @property
    def only_13(self) -> bool:
        """Whether the cipher suites leave nothing but TLS 1.3."""
        return bool(self.cipher_suites) and not CIPHER_SUITES.keys() & set(self.cipher_suites)


class HTTPConfig(Section):
    """Headers to add to every answer."""

    headers: Annotated[dict[str, str], AfterValidator(_headers)] = Field(default={})


class RateLimitConfig(Section):
    """One request each `interval`, after a burst; 0 for no limit."""

    interval: Annotated[Seconds, BeforeValidator(_zero)]
    burst: Annotated[int, Field(ge=1)]


class WebConfig(Section):
    """What is asked of those who connect; bcrypt hashes by user name."""

    tls_server_config: TLSConfig | None = None
    http_server_config: HTTPConfig = HTTPConfig()
    basic_auth_users: Annotated[
        dict[Annotated[str, AfterValidator(_user)], Annotated[str, AfterValidator(_bcrypt_hash)]],
        Field(default_factory=dict, repr=False),
    ]
    rate_limit: RateLimitConfig | None = None


def load_web_config(path: Path) -> WebConfig:
    """Read a web configuration file.

    Raises ConfigError, which lists every problem and shows neither a hash nor a key.
    """
    document = read(path)
    data, problems = _without_unusable(document)
    try:
        config = validate(WebConfig, replace(document, data=data))
    except ConfigError as error:
        raise ConfigError(path, [*problems, *map(_masked, error.problems)]) from None
    if problems:
        raise ConfigError(path, problems)
    return config


def _without_unusable(document: Document) -> tuple[object, list[Problem]]:
    """Take out sections that say nothing (a protection forgotten?) and keys we do not support."""
    problems: list[Problem] = []
    if not isinstance(document.data, dict):
        return document.data, problems
    data = {key: dict(v) if isinstance(v, dict) else v for key, v in document.data.items()}
    for name in WebConfig.model_fields:
        if name in data and data[name] in (None, {}):
            del data[name]
            line = document.line((name,))
            problems.append(Problem(line, name, "is empty", "fill it in or remove it"))
    for name in _UNSUPPORTED:
        *parents, key = name.split(".")
        section = data.get(parents[0]) if parents else data
        if isinstance(section, dict) and key in section:
            del section[key]
            line = document.line((*parents, key))
            problems.append(Problem(line, name, "is not supported by zope-exporter", "remove it"))
    return data, problems


def _masked(problem: Problem) -> Problem:
    key = problem.key.removesuffix(".[key]")
    # Name and hash are easily swapped.
    return replace(problem, key="basic_auth_users" if "$" in key else key)


class WebConfigFile(ReloadingConfig[WebConfig]):
    """A web configuration file that is read again whenever it has changed."""

    refused = "every request"

    def _load(self, last_good: WebConfig | None) -> WebConfig:
        config = load_web_config(self.path)
        if last_good is not None and (problems := list(_too_late(last_good, config))):
            raise ConfigError(self.path, problems)
        return config


def _too_late(old: WebConfig, new: WebConfig) -> Iterator[Problem]:
    remedy = "restart zope-exporter if you mean it"
    if (old.tls_server_config is None) != (new.tls_server_config is None):
        yield Problem(None, "tls_server_config", "cannot come or go while running", remedy)
    # A file is empty for a moment when an editor writes it in place.
    if old.basic_auth_users and not new.basic_auth_users:
        yield Problem(None, "basic_auth_users", "cannot go while running", remedy)
