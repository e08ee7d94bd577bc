"""Blob directories with many blobs, in few transactions."""

import subprocess
import sys
from pathlib import Path

_MAKE = """
import sys
import transaction, ZODB
from persistent.mapping import PersistentMapping
from ZODB.blob import Blob
from ZODB.FileStorage import FileStorage
storage = FileStorage(sys.argv[1], blob_dir=sys.argv[2])
connection = ZODB.DB(storage).open()
root = connection.root()
folder = root[len(root)] = PersistentMapping()
for number in range(int(sys.argv[3])):
    folder[number] = Blob(bytes(10 + number % 100))
transaction.commit()
"""


def make_many_blobs(data_fs: Path, blob_dir: Path, count: int) -> None:
    """Commit blobs of 10 to 109 bytes, all of them in one transaction."""
    command = [sys.executable, "-c", _MAKE, str(data_fs), str(blob_dir), str(count)]
    subprocess.run(command, check=True, timeout=300)
