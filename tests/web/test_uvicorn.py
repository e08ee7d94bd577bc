"""What is not public of uvicorn and h11, and yet used here: raise the bound once this passes."""

import asyncio
import inspect
import re
from pathlib import Path

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from tests.support.web.server import app_of


def test_uvicorn_has_an_upper_bound_and_h11_is_declared() -> None:
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    bounded = re.findall(r'^ +"(\w+)>=[\d.]+,<[\d.]+"', project, re.MULTILINE)
    assert {"h11", "uvicorn"} <= set(bounded)


def test_the_protocol_has_what_connections_extend() -> None:
    async def made() -> H11Protocol:
        return H11Protocol(uvicorn.Config(app_of(), log_config=None), ServerState(), app_state={})

    protocol = asyncio.run(made())
    assert isinstance(protocol.conn, h11.Connection)
    for name in ("cycle", "flow", "loop", "transport"):
        assert hasattr(protocol, name)
    assert hasattr(protocol, "server_state")
    for name in ("pause_writing", "resume_writing", "on_response_complete", "data_received"):
        assert not inspect.iscoroutinefunction(getattr(H11Protocol, name))
    assert list(inspect.signature(H11Protocol.send_400_response).parameters) == ["self", "msg"]


def test_the_server_has_what_ours_extends() -> None:
    for method in ("startup", "shutdown"):
        found = getattr(uvicorn.Server, method)
        assert inspect.iscoroutinefunction(found)
        assert list(inspect.signature(found).parameters) == ["self", "sockets"]
    assert list(inspect.signature(uvicorn.Server.handle_exit).parameters) == [
        "self",
        "sig",
        "frame",
    ]
    state = ServerState()
    assert state.tasks == set()
    assert state.connections == set()
