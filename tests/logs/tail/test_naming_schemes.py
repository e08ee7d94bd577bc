"""However rotated logs are named, each line is counted once; if need be less, never more."""

import json
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Literal

import pytest

from tests.support.logs.line_counter import Lines
from tests.support.logs.naming_schemes import FIRST_DAY, SCHEMES, Scheme, rotated
from zope_exporter.logs.tail.rotation_tracker import GRACE
from zope_exporter.logs.tail.tail import Tail

Times = Literal["true", "of one second", "of a restore", "of none"]
STEPS = 60


class Exporter:
    """What follows a log, with a clock to set; it is killed with all that it has not saved."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = 0.0
        self.log: Tail | None = None
        self.saved = "{}"

    def look(self, save: bool = True) -> None:
        if self.log is None:
            self.log = Tail(self.path, Lines, lambda: self.now)
            if self.saved != "{}":
                self.log.load(json.loads(self.saved))
        while self.log.look():
            pass
        if save:
            self.saved = json.dumps(self.log.save())

    def kill(self) -> None:
        if self.log is not None:
            self.log.close()
        self.log = None

    def counted(self) -> Counter[bytes]:
        assert self.log is not None
        assert isinstance(self.log.counter, Lines)
        return self.log.counter.counted

    def resets(self) -> dict[str, int]:
        assert self.log is not None
        return {reason: count for reason, count in self.log.resets.items() if count}


@pytest.fixture
def exporter(tmp_path: Path) -> Iterator[Exporter]:
    exporter = Exporter(tmp_path / "Z4.log")
    yield exporter
    exporter.kill()


def numbered(number: int) -> bytes:
    return b"line %d\n" % number


def same(_: int) -> bytes:
    return b'192.0.2.1 - - [29/Nov/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 5\n'


@pytest.mark.parametrize("line", [numbered, same])
@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("name", SCHEMES)
def test_one_rotation_beside_two_older_files(
    exporter: Exporter, name: str, down: bool, line: Callable[[int], bytes]
) -> None:
    path, scheme = exporter.path, SCHEMES[name]
    for number in (1, 2):
        path.write_bytes(b"".join(line(number * 10_000 + each) for each in range(1000)))
        scheme(path, number)
    path.write_bytes(b"".join(map(line, range(20))))
    exporter.look()
    if down:
        exporter.kill()
    scheme(path, 3)
    path.write_bytes(b"".join(map(line, range(100, 105))))
    exporter.look()
    assert exporter.counted() == Counter(line(each)[:-1] for each in range(100, 105))
    assert set(exporter.resets()) <= {"copytruncate"}


class Site:
    """A log that is written and rotated by a scheme, and the truth about its lines."""

    def __init__(self, path: Path, scheme: Scheme, times: Times) -> None:
        self.path = path
        self.scheme = scheme
        self.times = times
        self.truth: Counter[bytes] = Counter()
        self.lines = self.rotations = 0
        self.now = datetime(*FIRST_DAY.timetuple()[:3], tzinfo=timezone.utc)
        path.touch()
        self.set_time()

    def write(self, count: int) -> None:
        with self.path.open("ab") as stream:
            for _ in range(count):
                self.lines += 1
                self.now += timedelta(minutes=3)
                line = self._line()
                stream.write(line + b"\n")
                self.truth[line] += 1
        self.set_time()

    def set_time(self) -> None:
        if self.times == "true":
            os.utime(self.path, (self.now.timestamp(),) * 2)

    def _line(self) -> bytes:
        if self.times in ("of one second", "of none"):
            return b"%d" % self.lines
        moment = self.now.strftime("%d/%b/%Y:%H:%M:%S +0000").encode()
        return b'192.0.2.1 - - [%s] "GET /%d HTTP/1.1" 200 5' % (moment, self.lines)

    def rotate(self) -> None:
        self.rotations += 1
        self.scheme(self.path, self.rotations)
        self.now += timedelta(days=1)
        self.path.touch()
        self.set_time()
        if self.times == "of none":
            for file in rotated(self.path):
                os.utime(file, (0, 0))

    def restore(self) -> None:
        """Put copies in the place of all rotated files, as a backup brings them back."""
        for file in rotated(self.path):
            copy = file.with_name("copy")
            shutil.copyfile(file, copy)
            if self.times == "true":
                shutil.copystat(file, copy)
            copy.replace(file)
        if self.times == "of a restore":
            for file in rotated(self.path):
                os.utime(file, (2_000_000_000, 2_000_000_000))


class Story:
    """What happens to a site and its exporter, in any order."""

    def __init__(self, site: Site, exporter: Exporter, name: str) -> None:
        self.site = site
        self.exporter = exporter
        self.chance = random.Random(f"{name} {site.times}")
        # A log that was empty at the last look is known by its inode alone.
        self.keeps_inode = not any(word in name for word in ("copytruncate", "zip", "xz"))
        self.events = [self.write, self.look, exporter.kill, self.late, self.rotate, self.down]
        if site.times in ("true", "of a restore"):
            self.events.append(self.restore)

    def tell(self) -> None:
        self.exporter.look()
        for _ in range(STEPS):
            self.chance.choice(self.events)()
        self.exporter.look()
        self.late()
        self.site.write(1)
        self.exporter.look()

    def write(self) -> None:
        self.site.write(self.chance.randrange(1, 9))

    def look(self) -> None:
        self.exporter.look(save=self.chance.random() < 0.7)

    def late(self) -> None:
        self.exporter.now += GRACE + 1

    def rotate(self) -> None:
        self.be_known()
        self.site.write(self.chance.randrange(9))
        self.site.rotate()
        self.site.write(self.chance.randrange(3))

    def down(self) -> None:
        self.be_known()
        self.exporter.kill()
        for _ in range(self.chance.randrange(1, 5)):
            self.site.write(self.chance.randrange(9))
            self.site.rotate()

    def restore(self) -> None:
        self.exporter.look()
        self.exporter.kill()
        self.site.restore()

    def be_known(self) -> None:
        if not self.keeps_inode:
            self.site.write(1)
            self.exporter.look()


@pytest.mark.parametrize("times", ["true", "of one second", "of a restore"])
@pytest.mark.parametrize("name", SCHEMES)
def test_the_count_is_the_truth(exporter: Exporter, name: str, times: Times) -> None:
    site = Site(exporter.path, SCHEMES[name], times)
    Story(site, exporter, name).tell()
    assert exporter.counted() == site.truth
    assert not exporter.resets().get("unordered")
    assert site.rotations > 10


@pytest.mark.parametrize("name", SCHEMES)
def test_what_nobody_can_know_is_less_and_is_said(exporter: Exporter, name: str) -> None:
    """All rotated files say that they are of 1970, and no line has a time."""
    site = Site(exporter.path, SCHEMES[name], "of none")
    Story(site, exporter, name).tell()
    assert not exporter.counted() - site.truth, "more than there was"
    missing = site.truth - exporter.counted()
    assert not missing or exporter.resets().get("unordered")
