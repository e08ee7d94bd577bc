"""Clients of real ZEO servers that do what a test tells them to."""

import subprocess
import threading
from dataclasses import dataclass
from queue import Queue
from types import TracebackType

from tests.support.programs.commands import surroundings
from tests.support.zeo.servers import ZeoServer

# For Python 2.7 and 3 alike. What is said on stdin is done, and its end is said on stdout.
_PROGRAM = """\
import sys
from ZEO.ClientStorage import ClientStorage
import ZODB, transaction
try:
    from ZODB.Connection import TransactionMetaData
except ImportError:
    from transaction import Transaction as TransactionMetaData

def say(word):
    sys.stdout.write(word + "\\n")
    sys.stdout.flush()

address = ("127.0.0.1", int(sys.argv[1]))
storage = ClientStorage(address, storage="1", wait=True, wait_timeout=30)
db = voting = None
say("connected")
while True:
    words = sys.stdin.readline().split()
    if not words:
        break
    if words[0] == "commit":
        if db is None:
            db = ZODB.DB(storage)
            connection = db.open()
        for number in range(int(words[1])):
            connection.root()["number"] = number
            transaction.commit()
    elif words[0] == "vote":
        voting = TransactionMetaData()
        storage.tpc_begin(voting)
        storage.store(storage.new_oid(), b"\\0" * 8, b"N.", "", voting)
        say("voting")
        storage.tpc_vote(voting)
    elif words[0] == "abort":
        storage.tpc_abort(voting)
    elif words[0] == "write":
        written = 0
        while True:
            try:
                connection.root()["number"] = written
                transaction.commit()
                written += 1
            except Exception:
                transaction.abort()
    say(words[0])
"""


@dataclass
class ZeoClient:
    """A process that is a client of storage 1. As a context, it is connected.

    `commit N` makes transactions that store one object each, `vote` begins to commit another object
    and says "voting" before it waits for the lock, `abort` gives that up; `write` never ends.
    """

    server: ZeoServer

    def __enter__(self) -> "ZeoClient":
        python = self.server.environment.script("python")
        self._process = subprocess.Popen(
            [python, "-c", _PROGRAM, str(self.server.port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=surroundings(),
        )
        self._heard: Queue[str] = Queue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.hear("connected")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait(30)
        self._listener.join(30)
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()

    def tell(self, *words: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(words) + "\n")
        self._process.stdin.flush()

    def hear(self, word: str) -> None:
        """Wait until it has done what it was told."""
        assert self._heard.get(timeout=60) == word

    def do(self, *words: str) -> None:
        self.tell(*words)
        self.hear(words[0])

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._heard.put(line.strip())
        self._heard.put("ended")
