"""Forty bad minutes: two exporters beside logs rotated in eight ways and a ZEO server that is
packed, backed up and restarted, with kills, full disks and clocks that jump.

Run as `python -m tests.bench.soak [MINUTES]`, as root for the full disk. Prints a table, and fails
if a counter is not what was written. Clocks jump where a C compiler is there.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import click
import httpx
import psutil
import transaction
import ZODB
from persistent.mapping import PersistentMapping
from ZEO.ClientStorage import ClientStorage

from tests.support.faults.small_disk import small_disk_at
from tests.support.logs.naming_schemes import SCHEMES
from tests.support.programs.exporter import Running, serving, zope_exporter
from tests.support.programs.processes import eventually
from tests.support.zeo.servers import ZeoServer
from tests.support.zopes.environments import Environment

MINUTES = 40.0
ROTATIONS = 24
SHORTEST = 200  # turns of a tenth of a second
SHORTEST_PAUSE, PAUSES = 6.0, 100  # seconds between two evils; how many fit into the soak
NAMED = (
    *("mmdd", "dd", "ascending", "year", "ymd", "logrotate"),
    *("RotatingFileHandler", "logrotate, gzip later"),
)
CODES = {"200": 40, "404": 4, "500": 1}
LEVELS = {"INFO": 6, "WARNING": 2, "ERROR": 1}
ACCESS = '127.0.0.1 - - [30/Nov/2026:10:37:51 +0100] "GET /{} HTTP/1.1" {} 12 "-" "curl/8"\n'
EVENT = "2026-11-30 10:37:51,000 {:8} [shop:17][waitress-0] number {}\n"
JUMPS = (3600.0, -3600.0, 90.0, -90.0, 0.0)  # seconds by which the clock of one is wrong
CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    static char *file;
    if (!real) { real = dlsym(RTLD_NEXT, "clock_gettime"); file = OFFSET; }
    int result = real(clock, now);
    FILE *stream = clock == CLOCK_REALTIME ? fopen(file, "re") : 0;
    long seconds = 0;
    if (stream) { if (fscanf(stream, "%ld", &seconds) != 1) seconds = 0; fclose(stream); }
    now->tv_sec += seconds;
    return result;
}
"""


class Log:
    """A log that is written and rotated, with the count of what was written."""

    def __init__(self, site: str, scheme: str, directory: Path, is_access: bool) -> None:
        self.site, self.is_access = site, is_access
        self.path = directory / ("access" if is_access else "event") / "Z4.log"
        self.path.parent.mkdir(parents=True)
        self.path.touch()
        self.truth: Counter[str] = Counter()
        self._rotate = SCHEMES[scheme]
        self._rotations = 0

    def write(self, chance: random.Random) -> None:
        kinds = CODES if self.is_access else LEVELS
        with self.path.open("a") as stream:
            for _ in range(chance.randrange(1, 30)):
                (kind,) = chance.choices(list(kinds), list(kinds.values()))
                self.truth[kind] += 1
                number = self.truth.total()
                line = ACCESS.format(number, kind)
                stream.write(line if self.is_access else EVENT.format(kind, number))

    def rotate(self) -> None:
        self._rotate(self.path, self._rotations)
        self._rotations += 1
        self.path.touch()

    def counted(self, page: dict[str, dict[frozenset[tuple[str, str]], float]]) -> Counter[str]:
        name = "zope_http_requests_total" if self.is_access else "zope_event_log_records_total"
        label = "code" if self.is_access else "severity"
        found: Counter[str] = Counter()
        for labels, value in page.get(name, {}).items():
            told = dict(labels)
            if told["site"] == self.site and value:
                found[told[label]] += int(value)
        return found

    def resets(self, page: dict[str, dict[frozenset[tuple[str, str]], float]]) -> list[str]:
        """Why lines may be missing."""
        of_all = {
            tuple(map(dict(labels).get, ("site", "log", "reason"))): value
            for labels, value in page.get("zope_log_resets_total", {}).items()
        }
        return [
            f"{reason} {value:.0f}"
            for (site, log, reason), value in of_all.items()
            if site == self.site and value and str(self.path.parent.name) in str(log)
        ]


@dataclass
class Exporter:
    """One that is scraped, killed and started again, and what it took."""

    name: str
    start: Callable[[ExitStack], Running]
    stack: ExitStack = field(default_factory=ExitStack)
    running: Running | None = None
    taken: list[tuple[float, int, int]] = field(default_factory=list)  # MB, threads, descriptors
    kills: int = 0

    def begin(self) -> None:
        self.stack = ExitStack()
        self.running = self.start(self.stack)

    def end(self) -> None:
        self.stack.close()

    def kill(self, order: signal.Signals) -> None:
        assert self.running is not None
        self.kills += 1
        self.running.process.send_signal(order)
        self.running.process.wait(60)
        self.stack.close()
        self.begin()

    def look(self) -> dict[str, dict[frozenset[tuple[str, str]], float]]:
        assert self.running is not None
        process = psutil.Process(self.running.process.pid)
        page = self.running.page()
        took = process.memory_info().rss / 2**20, process.num_threads(), process.num_fds()
        self.taken.append(took)
        return page


class Soak:
    def __init__(self, directory: Path, seconds: float) -> None:
        self.directory, self.seconds = directory, seconds
        self.done: Counter[str] = Counter()
        self._chance = random.Random(18)
        self._over = threading.Event()
        self.logs = [
            Log(scheme.translate({32: "-", 44: ""}), scheme, directory / scheme, is_access)
            for scheme in NAMED
            for is_access in (True, False)
        ]
        self.zeo = ZeoServer(Environment("own", Path(sys.prefix)), directory / "zeo")
        self.config = directory / "zope-exporter.yml"
        self.config.write_text(self._configuration())
        (directory / "token").write_text("0123456789abcdef" * 4)
        (directory / "token").chmod(0o600)
        self.offset = directory / "offset"
        self.offset.write_text("0")

    def _configuration(self) -> str:
        sites = [
            f"- name: {access.site}\n  logs:\n"
            f"    access: [{{path: '{access.path}'}}]\n    event: [{{path: '{event.path}'}}]\n"
            for access, event in zip(self.logs[::2], self.logs[1::2], strict=True)
        ]
        zeo = f"- name: zeo\n  zeo: [{{conf: {self.zeo.zeo_conf}}}]\n"
        return (
            "discover: false\nactions: {token_file: token, pack: {days: 0, cooldown: 0s}}\nsites:\n"
            f"{''.join(sites)}{zeo}  backup: {{repository: backups, keep_full: 2}}\n"
        )

    def run(self) -> list[Exporter]:
        with ExitStack() as stack:
            disk = stack.enter_context(small_disk_at(self.directory / "small", "size=8m"))
            stack.enter_context(self.zeo)
            exporters = [self._exporter("A", disk / "state"), self._exporter("B", None)]
            for exporter in exporters:
                exporter.begin()
                stack.callback(exporter.end)
                # What was there before the first look is never counted.
                eventually(lambda: self._sees_all(exporter))  # noqa: B023 - called at once
            work = [self._write, self._commit, lambda: self._scrape(exporters)]
            threads = [threading.Thread(target=each) for each in work]
            for thread in threads:
                thread.start()
            self._spoil(exporters[0], disk)
            self._over.set()
            for thread in threads:
                thread.join(120)
            self._settle(exporters)
        return exporters

    def _sees_all(self, exporter: Exporter) -> bool:
        return len(exporter.look().get("zope_log_size_bytes", {})) >= len(self.logs)

    def _exporter(self, name: str, state: Path | None) -> Exporter:
        numbers = count()
        place = state or self.directory / f"state-{name}"
        environ = self._clock() if state else {}

        def start(stack: ExitStack) -> Running:
            flags = "--config.file", self.config
            log = self.directory / f"{name}-{next(numbers)}.log"
            return stack.enter_context(serving(place, *flags, log=log, environ=environ))

        return Exporter(name, start)

    def _clock(self) -> dict[str, str]:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            return {}
        source, library = self.directory / "clock.c", self.directory / "clock.so"
        source.write_text(CLOCK.replace("OFFSET", f'"{self.offset}"'))
        flags = "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"
        subprocess.run([compiler, *flags], check=True)
        return {"LD_PRELOAD": str(library)}

    def _write(self) -> None:
        turn = 0
        # An exporter looks every five seconds: more often would be no rotation that anybody has.
        each = max(SHORTEST, int(self.seconds / ROTATIONS / 0.1))
        while not self._over.wait(0.1):
            for place, log in enumerate(self.logs):
                log.write(self._chance)
                if (turn + place) % each == each - 1:
                    log.rotate()
                    self.done["rotations"] += 1
            turn += 1

    def _commit(self) -> None:
        with closing(ZODB.DB(ClientStorage(("127.0.0.1", self.zeo.port), wait=True))) as database:
            while not self._over.wait(0.2):
                with suppress(Exception):  # the server is away for a moment
                    with database.transaction() as connection:
                        # The root stays, by which a backup knows the database again.
                        root = connection.root()
                        root.setdefault("data", PersistentMapping())
                        root["data"]["text"] = self._chance.randbytes(2000)
                    self.done["commits"] += 1
                transaction.abort()

    def _scrape(self, exporters: list[Exporter]) -> None:
        while not self._over.wait(5):
            for exporter in exporters:
                with suppress(httpx.HTTPError, psutil.Error):  # it is started again just now
                    exporter.look()
                    self.done["scrapes"] += 1

    def _spoil(self, one: Exporter, disk: Path) -> None:
        """Do one evil after the other, with a moment to recover from each."""
        evils: list[tuple[str, Callable[[], object]]] = [
            # Rotated files stay open for a minute, which a start begins anew: kills come together.
            ("kill -9", lambda: one.kill(signal.SIGKILL)),
            ("full disks", lambda: self._fill(disk, one)),
            ("kill -15", lambda: one.kill(signal.SIGTERM)),
            ("clock jumps", lambda: self.offset.write_text(f"{self._chance.choice(JUMPS):.0f}")),
            ("backups", lambda: self._command("backup", "zeo")),
            ("ZEO restarts", self._restart_zeo),
            ("packs", lambda: self._command("pack", "zeo")),
            ("verifications", lambda: self._command("verify", "zeo")),
        ]
        pause = max(SHORTEST_PAUSE, self.seconds / PAUSES)
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            for name, evil in evils:
                evil()
                self.done[name] += 1
                self._over.wait(self._chance.uniform(1, pause))

    def _command(self, *words: str) -> None:
        state = self.directory / "state-commands"
        run = zope_exporter(*words, "--config.file", self.config, "--quiet", state_dir=state)
        if run.returncode:
            self.done[f"{words[0]} failed"] += 1
            click.echo(f"{words[0]}: {run.stderr.strip()[-300:]}", err=True)

    def _restart_zeo(self) -> None:
        self.zeo.stop()
        self.zeo.start()

    def _fill(self, disk: Path, exporter: Exporter) -> None:
        ballast = disk / "ballast"
        with suppress(OSError), ballast.open("wb") as file:
            while True:
                file.write(bytes(1 << 16))
                file.flush()
        self._over.wait(6)
        exporter.kill(signal.SIGKILL)
        self._over.wait(3)
        ballast.unlink()

    def _settle(self, exporters: list[Exporter]) -> None:
        """Wait until what was written last is counted."""
        self.offset.write_text("0")
        end = time.monotonic() + 60
        while time.monotonic() < end:
            pages = [exporter.look() for exporter in exporters]
            if all(log.counted(page) == log.truth for page in pages for log in self.logs):
                break
            self._over.clear()
            self._over.wait(2)
        self.pages = dict(zip((each.name for each in exporters), pages, strict=True))


def table(soak: Soak, exporters: list[Exporter]) -> Iterator[str]:
    yield f"{'log':36} {'written':>9} {'A':>9} {'B':>9}"
    for log in soak.logs:
        counts = [log.counted(soak.pages[each.name]) for each in exporters]
        kind = "access" if log.is_access else "event"
        cells = " ".join(f"{each.total():9}" for each in (log.truth, *counts))
        wrong = "" if all(each == log.truth for each in counts) else "  WRONG"
        wrong += "".join(
            f" {name}: {reason}" for name, page in soak.pages.items() for reason in log.resets(page)
        )
        yield f"{log.site + ' ' + kind:36} {cells}{wrong}"
    yield ""
    yield f"{'exporter':10} {'':8} {'MB':>7} {'threads':>8} {'descriptors':>12}"
    for exporter in exporters:
        # The first scrapes of a process are its start.
        thirds = len(exporter.taken) // 3
        for name, part in (
            ("first third", exporter.taken[2:thirds]),
            ("last third", exporter.taken[-thirds:]),
        ):
            most = [max(column) for column in zip(*part, strict=True)] or [0, 0, 0]
            yield f"{exporter.name:4} {name:14} {most[0]:7.1f} {most[1]:8} {most[2]:12}"
    yield ""
    yield ", ".join(f"{number} {what}" for what, number in sorted(soak.done.items()))


@click.command()
@click.argument("minutes", default=MINUTES)
def main(minutes: float) -> None:
    """Soak for so many minutes."""
    with tempfile.TemporaryDirectory(prefix="soak-") as made:
        directory = Path(made)
        soak = Soak(directory, minutes * 60)
        exporters = soak.run()
        for line in table(soak, exporters):
            click.echo(line)
        told = [
            line
            for log in sorted(directory.glob("?-*.log"))
            for line in log.read_text().splitlines()
            if "Traceback" in line or "level=ERROR" in line
        ]
        for line in told[:20]:
            click.echo(line)
    right = all(log.counted(page) == log.truth for page in soak.pages.values() for log in soak.logs)
    sys.exit(0 if right else "a counter is not what was written")


if __name__ == "__main__":
    os.environ.pop("STATE_DIRECTORY", None)
    main()
