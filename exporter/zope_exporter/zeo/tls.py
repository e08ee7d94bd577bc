"""TLS as ZEO's own clients do it: the server is verified, and is shown a certificate."""

import ssl

from zope_exporter.inventory import TlsFiles

from .errors import ZeoError


def tls_context(tls: TlsFiles) -> ssl.SSLContext:
    """Read the files anew, for certificates are renewed; raises ZeoError."""
    try:
        directory = tls.ca is not None and tls.ca.is_dir()
        context = ssl.create_default_context(
            cafile=None if directory else tls.ca, capath=tls.ca if directory else None
        )
    except (OSError, ssl.SSLError) as error:
        raise ZeoError(f"{tls.ca}: no certificates to trust: {reason(error)}") from None
    context.check_hostname = tls.check_hostname
    if tls.certificate is None:
        return context
    try:
        # Without a password here a locked key would make OpenSSL ask the terminal for it.
        context.load_cert_chain(tls.certificate, tls.key, password="")
    except (OSError, ssl.SSLError) as error:
        key = f" with the key {tls.key}" if tls.key else ""
        raise ZeoError(f"{tls.certificate}{key} cannot be used: {reason(error)}") from None
    return context


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
