"""TLS as ZEO's own clients do it: the server is verified, and is shown a certificate."""

import errno
import os
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from zope_exporter.discovery.inventory import TlsFiles
from zope_exporter.system.foreign_file import opened

from .errors import ZeoError

_LARGEST = 4 << 20


def tls_context(tls: TlsFiles) -> ssl.SSLContext:
    """Read the files anew, for certificates are renewed; raises ZeoError."""
    try:
        context = _trusting(tls.ca)
    except (OSError, ssl.SSLError) as error:
        raise ZeoError(f"{tls.ca}: no certificates to trust: {reason(error)}") from None
    context.check_hostname = tls.check_hostname
    if tls.certificate is None:
        return context
    try:
        with ExitStack() as stack:
            certificate = stack.enter_context(_certain(tls.certificate))
            key = stack.enter_context(_certain(tls.key)) if tls.key else None
            # Without a password here a locked key would make OpenSSL ask the terminal for it.
            context.load_cert_chain(certificate, key, password="")
    except (OSError, ssl.SSLError) as error:
        key = f" with the key {tls.key}" if tls.key else ""
        raise ZeoError(f"{tls.certificate}{key} cannot be used: {reason(error)}") from None
    return context


def _trusting(ca: Path | None) -> ssl.SSLContext:
    if ca is None or ca.is_dir():
        return ssl.create_default_context(capath=ca)
    with _certain(ca) as file:
        return ssl.create_default_context(cafile=file)


@contextmanager
def _certain(path: Path) -> Iterator[str]:
    """A name of a regular file that stays one until OpenSSL, which would wait for a FIFO, opens it.

    A zope.conf names these files.
    """
    with opened(path) as descriptor:
        if os.fstat(descriptor).st_size > _LARGEST:
            raise OSError(errno.EFBIG, f"larger than {_LARGEST} bytes")
        yield f"/proc/self/fd/{descriptor}"


def server_name(tls: TlsFiles, address: str) -> str:
    """The name the server's certificate must have; raises ZeoError where nothing tells."""
    host = "" if "/" in address else address.rpartition(":")[0].strip("[]")
    name = tls.hostname or host
    if not name and tls.check_hostname:
        raise ZeoError("needs server_hostname under zeo: to verify its certificate")
    return name


def reason(error: OSError) -> str:
    """What went wrong, without OpenSSL's file names and numbers."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not understood").lower().replace("_", " ")
    return error.strerror or str(error)
