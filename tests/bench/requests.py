"""How long requests to a live Zope take while its database is backed up, verified and packed.

Run as `python tests/bench/requests.py [MEGABYTES]` of documents that were deleted again. The Zope
has the agent, and answers one client without a break, which begins a request every 5 ms.
"""

import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from http.client import HTTPConnection
from pathlib import Path

import click

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.support.agents import with_agent  # noqa: E402
from tests.support.environments import environment  # noqa: E402
from tests.support.exporter import zope_exporter  # noqa: E402
from tests.support.instances import ZopeInstance  # noqa: E402
from tests.support.maintained import write_token  # noqa: E402

PAUSE = 0.005
QUIET = 15.0
DOCUMENT = "some text\n" * 50_000


class Client(threading.Thread):
    """Asks for one document until it is told to end."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.ended = threading.Event()
        self.taken: list[float] = []
        self._port = port

    def run(self) -> None:
        connection = HTTPConnection("127.0.0.1", self._port)
        while not self.ended.wait(PAUSE):
            begin = time.perf_counter()
            connection.request("GET", "/kept")
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200
            self.taken.append(time.perf_counter() - begin)
        connection.close()


def during(zope: ZopeInstance, what: str, work: Callable[[], object]) -> None:
    client, begin = Client(zope.port), time.monotonic()
    client.start()
    try:
        work()
    finally:
        client.ended.set()
        client.join()
    taken = sorted(client.taken)
    half, nearly, most = (taken[int(len(taken) * share)] for share in (0.5, 0.99, 0.9999))
    click.echo(
        f"{what:22} {time.monotonic() - begin:6.1f} s {len(taken):6} requests: median"
        f" {half * 1e3:5.1f} ms, p99 {nearly * 1e3:6.1f} ms, longest {most * 1e3:6.1f} ms"
    )


def main(megabytes: str = "500") -> None:
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        zope = ZopeInstance(with_agent(environment("zope63"), place / "environment"), place / "z")
        config = place / "zope-exporter.yml"
        write_token(place / "token")
        config.write_text(
            "discover: false\n"
            "actions: {token_file: token, pack: {days: 0}}\n"
            f"sites: [{{name: site, instances: [{{zope_conf: {zope.zope_conf}}}],"
            " backup: {repository: backups}}]\n"
        )

        def act(action: str) -> None:
            done = zope_exporter(action, "--config.file", config, state_dir=place)
            assert done.returncode == 0, done.stderr

        with zope:
            zope.site.commit(["kept"])
            for _ in range(2 * int(megabytes)):
                zope.site.commit(["gone"], DOCUMENT)
                zope.site.post("/manage_delObjects", {"ids:list": "gone"})
            during(zope, "nothing", quiet)
            during(zope, "nothing, again", quiet)
            for action in ("backup", "verify", "pack"):
                during(zope, action, partial(act, action))
            during(zope, "nothing, afterwards", quiet)


def quiet() -> None:
    threading.Event().wait(QUIET)


if __name__ == "__main__":
    main(*sys.argv[1:])
