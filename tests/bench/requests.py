"""How long requests to a live Zope take while its database is backed up, verified and packed.

Run as `python tests/bench/requests.py [MEGABYTES]` of documents, each in two revisions, of which
a pack removes one. The Zope has the agent, and answers one client without a break, which begins a
request every 5 ms. Told last are the medians of all rounds; the rounds without any work before and
after each action are what an action is compared with.
"""

import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from http.client import HTTPConnection
from pathlib import Path

import click
import transaction
import ZODB
from BTrees.OOBTree import OOBTree
from persistent.mapping import PersistentMapping
from ZODB.FileStorage import FileStorage

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.support.databases.maintained import write_token  # noqa: E402
from tests.support.programs.exporter import zope_exporter  # noqa: E402
from tests.support.zopes.agent_installed import with_agent  # noqa: E402
from tests.support.zopes.environments import environment  # noqa: E402
from tests.support.zopes.instances import ZopeInstance  # noqa: E402

ROUNDS = 5
PAUSE = 0.005
QUIET = 10.0
DOCUMENT = "some text " * 400
BATCH = 250  # documents a transaction


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


def fill(data_fs: Path, documents: int) -> None:
    """Write documents, and all of them once more."""
    database = ZODB.DB(FileStorage(str(data_fs)))
    connection = database.open()
    root = connection.root()
    tree = root.setdefault("documents", OOBTree())
    for revision in range(2):
        for first in range(0, documents, BATCH):
            for number in range(first, first + BATCH):
                document = tree.setdefault(number, PersistentMapping())
                document["text"] = f"{revision} {DOCUMENT}"
            transaction.commit()
            connection.cacheMinimize()
    database.close()


def during(zope: ZopeInstance, what: str, work: Callable[[], object]) -> float:
    """Have the client ask while something is done; return the p99 of its requests in seconds."""
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
        f"{what:10} {time.monotonic() - begin:6.1f} s {len(taken):6} requests: median"
        f" {half * 1e3:5.1f} ms, p99 {nearly * 1e3:6.1f} ms, longest {most * 1e3:6.1f} ms"
    )
    return nearly


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
        data_fs, full = zope.home / "var/Data.fs", place / "full"

        def act(action: str) -> None:
            done = zope_exporter(action, "--config.file", config, state_dir=place)
            assert done.returncode == 0, done.stderr

        p99 = defaultdict(list)
        with zope:
            zope.site.commit(["kept"])
        fill(data_fs, int(megabytes) * 1000 // (2 * len(DOCUMENT) // 1000) // BATCH * BATCH)
        data_fs.rename(full)
        for _ in range(ROUNDS):
            shutil.rmtree(place / "backups", ignore_errors=True)
            for left in data_fs.parent.glob("Data.fs*"):
                left.unlink()
            shutil.copyfile(full, data_fs)
            with zope:
                p99["nothing"].append(during(zope, "nothing", quiet))
                for action in ("backup", "verify", "pack"):
                    p99[action].append(during(zope, action, partial(act, action)))
                p99["nothing"].append(during(zope, "nothing", quiet))
    idle = statistics.median(p99.pop("nothing"))
    click.echo(f"p99 of nothing {idle * 1e3:.1f} ms")
    for action, taken in p99.items():
        times = statistics.median(taken)
        click.echo(f"p99 of {action} {times * 1e3:.1f} ms, {times / idle:.2f} times that")


def quiet() -> None:
    threading.Event().wait(QUIET)


if __name__ == "__main__":
    main(*sys.argv[1:])
