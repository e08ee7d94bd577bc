from collections.abc import Callable
from pathlib import Path

import bcrypt
import pytest

from zope_exporter.config.load import ConfigError
from zope_exporter.web.webconfig import CIPHER_SUITES, CIPHER_SUITES_13, load_web_config

Write = Callable[[str], Path]
HASH = bcrypt.hashpw(b"geheim", b"$2b$04$abcdefghijklmnopqrstuu").decode()
TLS = "tls_server_config: {cert_file: a.crt, key_file: a.key"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "web.yml"
        path.write_text(text)
        return path

    return write


def problems(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_web_config(path)
    return str(caught.value).replace(str(path), "web.yml").splitlines()


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_an_empty_file_asks_for_nothing(write: Write, text: str) -> None:
    config = load_web_config(write(text))
    assert config.tls_server_config is None
    assert not config.basic_auth_users


def test_all_that_can_be_said(write: Write) -> None:
    path = write(
        f"""
tls_server_config:
  cert_file: server.crt
  key_file: /etc/ssl/server.key
  client_ca_file: ca.crt
  client_auth_type: RequireAndVerifyClientCert
  min_version: TLS13
  max_version: TLS13
http_server_config:
  headers:
    Strict-Transport-Security: max-age=31536000
    X-Content-Type-Options: nosniff
    X-Frame-Options: DENY
    X-XSS-Protection: "0"
    Content-Security-Policy: default-src 'self'
basic_auth_users:
  alice: {HASH}
  "prometheus 2": {HASH.replace("$2b$", "$2y$")}
  jürgen: {HASH.replace("$2b$", "$2a$")}
"""
    )
    config = load_web_config(path)
    assert config.tls_server_config is not None
    assert config.tls_server_config.cert_file == path.parent / "server.crt"
    assert config.tls_server_config.key_file == Path("/etc/ssl/server.key")
    assert set(config.basic_auth_users) == {"alice", "prometheus 2", "jürgen"}
    assert len(config.http_server_config.headers) == 5
    assert HASH not in repr(config)


NOT_OURS = "is not supported by zope-exporter (remove it)"
EMPTY = "is empty (fill it in or remove it)"
NO_SECTION = "must hold keys with values"
NO_TEXT = "must be text (put it in quotes)"
BAD_HASH = "is not a bcrypt hash (make one with: htpasswd -nBC 10 NAME)"
TOP_KEYS = "known here: basic_auth_users, http_server_config, rate_limit, tls_server_config"
TLS_KEYS = (
    "known here: cert_file, cipher_suites, client_auth_type, client_ca_file, curve_preferences, "
    "key_file, max_version, min_version, prefer_server_cipher_suites"
)
SUITES = "known here: " + ", ".join((*CIPHER_SUITES, *CIPHER_SUITES_13))
HEADERS = (
    "Content-Security-Policy, Strict-Transport-Security, X-Content-Type-Options, "
    "X-Frame-Options, X-XSS-Protection"
)


def users(name: str, hashed: str) -> str:
    return f'basic_auth_users: {{"{name}": {hashed}}}'


WHOLE_FILE = [
    ("- a", f":1: {NO_SECTION}"),
    ("text", f":1: {NO_SECTION}"),
    ("a: [", ":1: is not valid YAML: expected the node content"),
    ("a: *geheim", ":1: is not valid YAML: found undefined alias"),
    ("a: !geheim b", ":1: is not valid YAML: could not determine a constructor for the tag"),
    ("a: \0", ": is not text: special characters are not allowed (save it as UTF-8)"),
    ("a:\n\t- b", ":2: is not valid YAML: found character"),
    ("basic_auth_user: {}", ":1: basic_auth_user: unknown key (did you mean basic_auth_users?)"),
    ("zzz: 1", f":1: zzz: unknown key ({TOP_KEYS})"),
    ("rate_limit: {interval: 1s}", ":1: rate_limit.burst: is required"),
    (
        "rate_limit: {interval: 1s, burst: 0}",
        ":1: rate_limit.burst: Input should be greater than or equal to 1",
    ),
    (
        "rate_limit: {interval: 5, burst: 1}",
        ":1: rate_limit.interval: is not a duration (a number and a unit: 500ms, 5s, 10m, 26h, 7d)",
    ),
    ("[" * 5_000, ": is nested too deeply or holds an impossible date or number"),
]
TLS_SECTION = [
    ("tls_server_config:", f":1: tls_server_config: {EMPTY}"),
    ("tls_server_config: {}", f":1: tls_server_config: {EMPTY}"),
    ("tls_server_config: on", f":1: tls_server_config: {NO_SECTION}"),
    ("tls_server_config: {key_file: a}", ":1: tls_server_config.cert_file: is required"),
    ("tls_server_config: {cert_file: a}", ":1: tls_server_config.key_file: is required"),
    (
        "tls_server_config: {cert_file: 1, key_file: a}",
        ":1: tls_server_config.cert_file: must be a path (put it in quotes)",
    ),
    (f"{TLS}, x: 1}}", f":1: tls_server_config.x: unknown key ({TLS_KEYS})"),
    (f"{TLS}, cert: PEM}}", f":1: tls_server_config.cert: {NOT_OURS}"),
    (f"{TLS}, key: PEM}}", f":1: tls_server_config.key: {NOT_OURS}"),
    (f"{TLS}, client_ca: PEM}}", f":1: tls_server_config.client_ca: {NOT_OURS}"),
    (f"{TLS}, client_allowed_sans: []}}", f":1: tls_server_config.client_allowed_sans: {NOT_OURS}"),
    (
        f"{TLS}, cipher_suites: [RC4]}}",
        f":1: tls_server_config.cipher_suites[0]: RC4 is not known ({SUITES})",
    ),
    (
        f"{TLS}, max_version: TLS12, cipher_suites: [TLS_AES_128_GCM_SHA256]}}",
        ":1: tls_server_config: cipher_suites has none of TLS 1.2 (no client could ever connect)",
    ),
    (
        f"{TLS}, curve_preferences: [P256]}}",
        ":1: tls_server_config.curve_preferences[0]: P256 is not known "
        "(known here: CurveP256, CurveP384, CurveP521, X25519)",
    ),
    (
        f"{TLS}, min_version: TLS10}}",
        ":1: tls_server_config.min_version: Input should be 'TLS12' or 'TLS13'",
    ),
    (
        f"{TLS}, min_version: TLS13, max_version: TLS12}}",
        ":1: tls_server_config: min_version is above max_version (no client could ever connect)",
    ),
    (
        f"{TLS}, client_auth_type: RequireAnyClientCert}}",
        ":1: tls_server_config.client_auth_type: Input should be 'NoClientCert', "
        "'VerifyClientCertIfGiven' or 'RequireAndVerifyClientCert'",
    ),
    (
        f"{TLS}, client_auth_type: VerifyClientCertIfGiven}}",
        ":1: tls_server_config: client_auth_type VerifyClientCertIfGiven has nothing to verify "
        "against (give client_ca_file)",
    ),
    (
        f"{TLS}, client_ca_file: ca.crt}}",
        ":1: tls_server_config: client_ca_file has no effect without client_auth_type "
        "(set client_auth_type: RequireAndVerifyClientCert)",
    ),
]
HTTP_SECTION = [
    ("http_server_config: {http2: true}", f":1: http_server_config.http2: {NOT_OURS}"),
    (
        "http_server_config: {header: {}}",
        ":1: http_server_config.header: unknown key (did you mean headers?)",
    ),
    (
        "http_server_config: {headers: {Server: a}}",
        f":1: http_server_config.headers: names a header that cannot be set (only {HEADERS})",
    ),
    (
        "http_server_config: {headers: {X-Frame-Options: perhaps}}",
        ":1: http_server_config.headers: gives X-Frame-Options a value it does not have "
        "(write deny or sameorigin)",
    ),
    (
        'http_server_config: {headers: {X-XSS-Protection: "a\\r\\nSet-Cookie: b"}}',
        ":1: http_server_config.headers: gives X-XSS-Protection a value no header can have "
        "(use printable ASCII only)",
    ),
    (
        "http_server_config: {headers: {X-XSS-Protection: 0}}",
        f":1: http_server_config.headers.X-XSS-Protection: {NO_TEXT}",
    ),
]
USERS_SECTION = [
    ("basic_auth_users:", f":1: basic_auth_users: {EMPTY}"),
    ("basic_auth_users: {}", f":1: basic_auth_users: {EMPTY}"),
    ("basic_auth_users: [a]", f":1: basic_auth_users: {NO_SECTION}"),
    (users("alice", ""), f":1: basic_auth_users.alice: {NO_TEXT}"),
    (users("alice", "123"), f":1: basic_auth_users.alice: {NO_TEXT}"),
    (users("alice", "''"), f":1: basic_auth_users.alice: {BAD_HASH}"),
    (users("alice", "geheim"), f":1: basic_auth_users.alice: {BAD_HASH}"),
    (users("alice", HASH[:-1]), f":1: basic_auth_users.alice: {BAD_HASH}"),
    (users("alice", f"{HASH}x"), f":1: basic_auth_users.alice: {BAD_HASH}"),
    (users("alice", f"$2b$03{HASH[6:]}"), f":1: basic_auth_users.alice: {BAD_HASH}"),
    (users("alice", f"$2b$32{HASH[6:]}"), f":1: basic_auth_users.alice: {BAD_HASH}"),
    (users("alice", f"$2x${HASH[4:]}"), f":1: basic_auth_users.alice: {BAD_HASH}"),
    (users("alice", "$apr1$abcdefgh$0123456789"), f":1: basic_auth_users.alice: {BAD_HASH}"),
    (users(HASH, "alice"), f":1: basic_auth_users: {BAD_HASH}"),
    (f"basic_auth_users: {{1: {HASH}}}", f":1: basic_auth_users[1]: {NO_TEXT}"),
    (
        users("a:b", HASH),
        ":1: basic_auth_users.a:b: no such user can log in (a name has no colon and no control "
        "character)",
    ),
    (
        f"basic_auth_users:\n  alice: {HASH}\n  alice: {HASH}",
        ":3: alice: is given twice",
    ),
]


@pytest.mark.parametrize(
    ("text", "expected"), [*WHOLE_FILE, *TLS_SECTION, *HTTP_SECTION, *USERS_SECTION]
)
def test_a_bad_file_is_refused_by_key_and_reason(write: Write, text: str, expected: str) -> None:
    (problem,) = problems(write(text))
    assert problem == f"web.yml{expected}"


def test_all_problems_are_told_at_once(write: Write) -> None:
    text = """
rate_limit: {interval: 1s}
tls_server_config: {cert: PEM, min_version: TLS11}
basic_auth_users: {alice: geheim, bob: geheim}
"""
    assert [line.split(": ")[1] for line in problems(write(text))] == [
        "tls_server_config.cert",
        "tls_server_config.cert_file",
        "tls_server_config.key_file",
        "tls_server_config.min_version",
        "basic_auth_users.alice",
        "basic_auth_users.bob",
        "rate_limit.burst",
    ]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert problems(tmp_path / "web.yml") == ["web.yml: is missing"]
    (tmp_path / "web.yml").mkdir()
    assert problems(tmp_path / "web.yml") == ["web.yml: is not a regular file"]


def test_a_file_too_large_for_what_it_is(write: Write) -> None:
    assert problems(write("#" * 2_000_000)) == ["web.yml: is larger than 1048576 bytes"]
