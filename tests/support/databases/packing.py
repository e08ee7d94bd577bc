"""Reports that remember, and databases that are worth packing."""

import random
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import transaction
import ZODB
from persistent.mapping import PersistentMapping
from ZODB.blob import Blob
from ZODB.FileStorage import FileStorage

from zope_exporter.discovery.inventory import Process, Storage
from zope_exporter.maintenance.jobs.report import InterruptedActionError
from zope_exporter.maintenance.pack.target import PackSettings

AT_ONCE = PackSettings(days=0, headroom=0, poll_seconds=0.05)


@dataclass
class Remembered:
    """A report that keeps all it is told, and tells to end in a stage that begins as given."""

    stages: list[tuple[str, int]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    done: int = 0
    end_in: str = ""

    def stage(self, name: str, total: int = 0) -> None:
        self.stages.append((name, total))

    def advance(self, count: int) -> None:
        assert count >= 0
        self.done += count

    def say(self, text: str) -> None:
        self.lines.append(text)

    def check(self) -> None:
        if self.end_in and self.stages and self.stages[-1][0].startswith(self.end_in):
            raise InterruptedActionError(self.end_in, "told to end")

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def make_database(data_fs: Path, revisions: int = 20, size: int = 10_000, blobs: int = 0) -> None:
    """Commit a mapping with many revisions of one value, and blobs of which half are forgotten."""
    blob_dir = str(blob_dir_of(data_fs)) if blobs else None
    with closing(ZODB.DB(FileStorage(str(data_fs), blob_dir=blob_dir))) as database:
        connection = database.open()
        root = connection.root()
        for number in range(revisions):
            root["item"] = PersistentMapping(data=random.Random(number).randbytes(size))
            transaction.commit()
        for number in range(blobs):
            blob = root[f"blob-{number}"] = Blob()
            with blob.open("w") as stream:
                stream.write(b"%d" % number * 1000)
            transaction.commit()
        for number in range(0, blobs, 2):
            del root[f"blob-{number}"]
        transaction.commit()
        connection.close()


def commit_more(data_fs: Path) -> None:
    """Go on with the site after its backup: a value is changed, a blob goes and one comes."""
    storage = FileStorage(str(data_fs), blob_dir=str(blob_dir_of(data_fs)))
    with closing(ZODB.DB(storage)) as database:
        connection = database.open()
        root = connection.root()
        root["item"] = {"data": b"after the backup"}
        root["blob-1"] = Blob(b"later")
        transaction.commit()
        connection.close()


def digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def blob_dir_of(data_fs: Path) -> Path:
    return data_fs.with_name("blobs")


def items(data_fs: Path) -> dict[str, bytes]:
    """What a read-only open finds: the value, and the data of each blob."""
    blob_dir = blob_dir_of(data_fs)
    storage = FileStorage(
        str(data_fs), read_only=True, blob_dir=str(blob_dir) if blob_dir.exists() else None
    )
    with closing(ZODB.DB(storage)) as database:
        connection = database.open()
        found = {}
        for name, value in connection.root().items():
            if isinstance(value, Blob):
                with value.open() as stream:
                    found[name] = stream.read()
            else:
                found[name] = value["data"]
        connection.close()
        return found


def storage_of(data_fs: Path, *owners: Process) -> Storage:
    blob_dir = blob_dir_of(data_fs)
    return Storage("main", data_fs, blob_dir if blob_dir.exists() else None, owners)
