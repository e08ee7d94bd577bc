"""Messages by POST."""

import anyio
import httpx

from zope_exporter import __version__

from .message import Message, TellingError

DEADLINE = 20.0  # seconds for all of it, from the resolution of the name to the answer's headers


def post(url: str, message: Message, deadline: float = DEADLINE) -> None:
    """Post a message as JSON.

    Raises TellingError unless it is taken (2xx). The URL, which may be a secret, is in no error.
    """
    try:
        status = anyio.run(_post, url, message, deadline)
    except TimeoutError:
        raise TellingError(f"the URL did not answer within {deadline:g} s") from None
    except (httpx.HTTPError, OSError) as error:
        raise TellingError(f"the URL cannot be reached: {type(error).__name__}") from None
    if not 200 <= status < 300:
        raise TellingError(f"the URL answered {status}")


async def _post(url: str, message: Message, deadline: float) -> int:
    headers = {"User-Agent": f"zope-exporter/{__version__}"}
    # No redirects: they could lead the message, and a password in the URL, elsewhere.
    with anyio.fail_after(deadline):
        async with (
            httpx.AsyncClient(headers=headers, timeout=deadline, trust_env=False) as client,
            client.stream("POST", url, json=message.as_json()) as response,
        ):
            return response.status_code
