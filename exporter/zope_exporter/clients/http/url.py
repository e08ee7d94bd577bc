"""What a probe may ask for."""

import base64
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

# Nothing is wrong with such a URL. Every command that reads the configuration checks those in it,
# and httpx, which knows of the others, takes as long to import as all else that reading takes.
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_PLAIN = re.compile(
    r"https?://(?:[A-Za-z0-9._~-]{1,100}(?::[A-Za-z0-9._~-]{0,100})?@)?"
    rf"(?:[A-Za-z][A-Za-z0-9.-]{{0,250}}|{_OCTET}(?:\.{_OCTET}){{3}})"
    r"(?::[1-9][0-9]{0,3}|:[1-5][0-9]{4})?"
    r"(?:/[A-Za-z0-9._~/-]{0,1000})?(?:\?[A-Za-z0-9._~/=&-]{0,1000})?"
)


def check_url(text: str) -> str | None:
    """Return why this cannot be probed, None if it can; the reason never repeats the URL."""
    if _PLAIN.fullmatch(text):
        return None
    import httpx

    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:  # its message may hold part of a password
        return "is not a valid URL"
    if url.scheme not in ("http", "https"):
        return "must begin with http:// or https://"
    if url.raw_host[:1] in (b"", b"."):
        return "names no host"
    if url.port is not None and not 0 < url.port < 65536:
        return "has a port outside of 1 to 65535"
    return None


def redirected(url: "httpx.URL", location: str) -> "httpx.URL | None":
    """Return where a redirect leads, None if that is not another page of the same server.

    The same server is the same host with the same scheme and port, or with https after http: where
    an answer can send a probe must not depend on who wrote the answer.
    """
    import httpx

    try:
        target = url.join(location)
    except (httpx.InvalidURL, ValueError):
        return None
    if check_url(str(target)) is not None or target.raw_host != url.raw_host:
        return None
    upgraded = url.scheme == "http" and target.scheme == "https"
    return target if upgraded or origin(target) == origin(url) else None


def origin(url: "httpx.URL") -> tuple[str, bytes, int | None]:
    """Return what decides whether credentials for one URL may be sent to another."""
    return url.scheme, url.raw_host, url.port


def authorization(url: "httpx.URL") -> dict[str, str]:
    """Return the header for the credentials in a URL, none if it has none."""
    if not url.userinfo:
        return {}
    credentials = base64.b64encode(f"{url.username}:{url.password}".encode())
    return {"Authorization": f"Basic {credentials.decode()}"}


def without_credentials(text: str) -> str:
    """Return a URL as it may be shown."""
    import httpx

    url = httpx.URL(text)
    return str(url.copy_with(userinfo=b"")) if url.userinfo else text
