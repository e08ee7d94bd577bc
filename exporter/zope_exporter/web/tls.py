"""TLS with certificates that can be replaced while running."""

import logging
import ssl
from pathlib import Path

from zope_exporter.config.load import ConfigError, Problem

from .reloading_config import file_state
from .webconfig import CIPHER_SUITES, CURVES, TLSConfig, WebConfigFile

log = logging.getLogger(__name__)

_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
# What has authenticated encryption and forward secrecy; all clients that speak TLS 1.2 well do.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
_CLIENTS = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}


class Certificates:
    """The TLS context of new connections, made anew when the configuration or a file changes."""

    def __init__(self, config: WebConfigFile, tls: TLSConfig) -> None:
        """Load the files.

        Raises ConfigError, which names key and file, if they cannot be used.
        """
        self._config = config
        self._tls = tls
        self._state = _state(tls)
        self._context: ssl.SSLContext | None = make_context(config.path, tls)

    def context(self) -> ssl.SSLContext | None:
        """Return the context for a new connection.

        It is the last good one while a file cannot be used, but None when the settings themselves
        have changed: the old ones may let in who shall stay out.
        """
        try:
            tls = self._config.current().tls_server_config
        except ConfigError:  # said by the file itself, and answered with 500
            return self._context
        if tls is not None and (tls, _state(tls)) != (self._tls, self._state):
            self._renew(tls)
        return self._context

    def _renew(self, tls: TLSConfig) -> None:
        last_good = self._context if tls == self._tls else None
        self._tls, self._state = tls, _state(tls)
        try:
            self._context = make_context(self._config.path, tls)
        except ConfigError as error:
            self._context = last_good
            kept = "the last good certificate stays in use" if last_good else "nobody can connect"
            log.error("%s until this is repaired: %s", kept, error)
        else:
            log.info("%s: read again", tls.cert_file)


def make_context(path: Path, tls: TLSConfig) -> ssl.SSLContext:
    """Return a context of the settings in the web configuration file `path`.

    Raises ConfigError, which names key and file, if a file cannot be read or used.
    """
    problems = [_unreadable(key, file) for key, file in _files(tls).items()]
    if found := [problem for problem in problems if problem is not None]:
        raise ConfigError(path, found)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[tls.min_version]
    context.maximum_version = _VERSIONS[tls.max_version]
    context.verify_mode = _CLIENTS[tls.client_auth_type]
    _negotiate(context, path, tls)
    try:
        # Without a password OpenSSL would ask for one on the terminal, and wait.
        context.load_cert_chain(tls.cert_file, tls.key_file, password="")
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(path, [_bad_pair(tls, error)]) from None
    if tls.client_ca_file:
        try:
            context.load_verify_locations(tls.client_ca_file)
        except ssl.SSLError:
            raise ConfigError(path, [_no_pem("client_ca_file", tls.client_ca_file)]) from None
    return context


def _negotiate(context: ssl.SSLContext, path: Path, tls: TLSConfig) -> None:
    named = [CIPHER_SUITES[name] for name in tls.cipher_suites if name in CIPHER_SUITES]
    context.set_ciphers(":".join(named) or _CIPHERS)
    if tls.only_13:
        context.minimum_version = ssl.TLSVersion.TLSv1_3
    if not tls.prefer_server_cipher_suites:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    curves = [CURVES[name] for name in tls.curve_preferences]
    set_groups = getattr(context, "set_groups", None)  # of Python 3.15
    if set_groups is not None and curves:
        set_groups(":".join(curves))
    elif len(curves) > 1:
        reason = "Python before 3.15 can be given one curve only"
        raise ConfigError(path, [_problem("curve_preferences", reason, "keep the first")])
    elif curves:
        context.set_ecdh_curve(curves[0])


def _files(tls: TLSConfig) -> dict[str, Path]:
    files = {"cert_file": tls.cert_file, "key_file": tls.key_file}
    return files | ({"client_ca_file": tls.client_ca_file} if tls.client_ca_file else {})


def _state(tls: TLSConfig) -> list[tuple[int, ...] | None]:
    return [file_state(file) for file in _files(tls).values()]


def _unreadable(key: str, file: Path) -> Problem | None:
    try:
        with file.open("rb"):
            return None
    except OSError as error:
        return _problem(key, f"{file} cannot be read: {error.strerror}", "correct path or rights")


def _bad_pair(tls: TLSConfig, error: ssl.SSLError | ValueError) -> Problem:
    if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
        reason = f"{tls.key_file} does not belong to {tls.cert_file}"
        return _problem("key_file", reason, "give the key the certificate was made with")
    from cryptography import x509  # costs 8 MB, and only a mistake is worth it

    try:
        x509.load_pem_x509_certificates(tls.cert_file.read_bytes())
    except (OSError, ValueError):
        return _no_pem("cert_file", tls.cert_file)
    reason = f"{tls.key_file} is no private key, or one with a passphrase"
    return _problem("key_file", reason, "give an unencrypted key in PEM")


def _no_pem(key: str, file: Path) -> Problem:
    return _problem(key, f"{file} holds no certificate", "give one in PEM")


def _problem(key: str, reason: str, remedy: str) -> Problem:
    return Problem(None, f"tls_server_config.{key}", reason, remedy)
