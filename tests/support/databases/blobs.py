"""Real blob directories of real storages."""

import signal
import subprocess
import sys
from pathlib import Path

_MAKE = """
import sys, time
import transaction, ZODB
from ZODB.blob import Blob
from ZODB.FileStorage import FileStorage
storage = FileStorage(sys.argv[1], blob_dir=sys.argv[2])
connection = ZODB.DB(storage).open()
root = connection.root()
for number in range(int(sys.argv[3])):
    blob = root[number] = Blob()
    with blob.open("w") as stream:
        stream.write(bytes(1000 + number))
    transaction.commit()
"""

_PACK = """
import os, signal, sys, time
import transaction, ZODB
from ZODB.FileStorage import FileStorage
data_fs, blob_dir, forget, moves = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
storage = FileStorage(data_fs, blob_dir=blob_dir)
database = ZODB.DB(storage)
connection = database.open()
root = connection.root()
for number in range(forget):
    root.pop(number, None)
transaction.commit()
if moves >= 0:
    def count(event, arguments):
        global moves
        if event == "os.rename" and str(arguments[1]).startswith(blob_dir + ".old/"):
            moves -= 1
            if moves < 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(count)
database.pack(time.time() + 1)
database.close()
"""


def make_blobs(data_fs: Path, blob_dir: Path, count: int) -> None:
    """Commit blobs of 1000, 1001, ... bytes, each in a transaction of its own."""
    subprocess.run(
        [sys.executable, "-c", _MAKE, data_fs, blob_dir, str(count)], check=True, timeout=60
    )


def pack(data_fs: Path, blob_dir: Path, forget: int, moves: int = -1) -> None:
    """Forget the first `forget` blobs, then pack, and die after the removal of `moves` of them."""
    arguments = map(str, (data_fs, blob_dir, forget, moves))
    command = [sys.executable, "-c", _PACK, *arguments]
    status = subprocess.run(command, check=False, timeout=60).returncode
    assert status == (0 if moves < 0 else -signal.SIGKILL)
