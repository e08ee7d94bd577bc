"""When a server's certificate expires, also when it cannot be trusted."""

import ssl

import anyio
from anyio.streams.tls import TLSAttribute


def verified_expiry(connection: ssl.SSLObject) -> float | None:
    """Return the expiry, in seconds since the epoch, of the certificate a handshake verified."""
    certificate = connection.getpeercert() or {}
    expiry = certificate.get("notAfter")
    return ssl.cert_time_to_seconds(expiry) if isinstance(expiry, str) else None


def unverified_expiry(certificate: bytes) -> float | None:
    """Return the expiry, in seconds since the epoch, of a certificate in DER, None if unreadable.

    The ssl module tells nothing of a certificate that it did not verify.
    """
    from cryptography import x509  # costs 8 MB, which only a site with a bad certificate pays

    try:
        return x509.load_der_x509_certificate(certificate).not_valid_after_utc.timestamp()
    except ValueError:
        return None


async def fetch(address: str, port: int, host: str) -> bytes | None:
    """Return in DER the certificate a server shows for a host name, whether valid or not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        stream = await anyio.connect_tcp(
            address, port, ssl_context=context, tls_hostname=host, tls_standard_compatible=False
        )
    except (OSError, anyio.EndOfStream, anyio.BrokenResourceError):
        return None
    async with stream:
        return stream.extra(TLSAttribute.peer_certificate_binary)  # noqa: S610 (not Django's)
