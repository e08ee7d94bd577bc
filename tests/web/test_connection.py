import asyncio
import socket

import pytest
import uvicorn
from uvicorn.server import ServerState

from tests.support.web.server import DEADLINE, app_of
from zope_exporter.web.connection import Connection
from zope_exporter.web.connection_limiter import DEFAULT_LIMITS, ConnectionLimiter

PATIENCE = 100 * DEADLINE


async def _is_cut_off(ago: float) -> bool:
    """Whether a peer that says nothing is, and not for having waited here."""
    loop = asyncio.get_running_loop()
    config, room = uvicorn.Config(app_of(), log_config=None), ConnectionLimiter(DEFAULT_LIMITS)
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.setblocking(False)
        transport, _ = await loop.connect_accepted_socket(
            lambda: Connection(config, ServerState(), room, PATIENCE, loop.time() - ago), ours
        )
        asked = loop.create_task(loop.sock_recv(theirs, 1))
        # What is due already comes before what is due a little later.
        await asyncio.wait([asked], timeout=DEADLINE if ago > PATIENCE else 0.1)
        ended = asked.done()
        asked.cancel()
        transport.abort()
        await asyncio.gather(asked, return_exceptions=True)
    return ended


@pytest.mark.parametrize(("ago", "ended"), [(PATIENCE + 1, True), (PATIENCE / 2, False)])
def test_the_time_of_the_first_request_began_when_the_peer_was_let_in(
    ago: float, ended: bool
) -> None:
    assert asyncio.run(_is_cut_off(ago)) is ended
