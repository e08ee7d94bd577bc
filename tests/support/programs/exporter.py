"""The real command in a real process, and what its page says."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.support.programs.processes import eventually

DEADLINE = 60.0

Page = dict[str, dict[frozenset[tuple[str, str]], float]]


def environment(state_dir: Path) -> dict[str, str]:
    """Return our environment with a state directory that only the test uses."""
    return {**os.environ, "STATE_DIRECTORY": str(state_dir)}


def zope_exporter(*arguments: str | Path, state_dir: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of zope-exporter to its end."""
    return subprocess.run(
        [sys.executable, "-m", "zope_exporter", *map(str, arguments)],
        env=environment(state_dir),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


@dataclass(frozen=True)
class Running:
    """A serving exporter."""

    process: "subprocess.Popen[str]"
    url: str
    log: Path

    def page(self) -> Page:
        """Scrape once; values by metric name and labels."""
        text = httpx.get(f"{self.url}/metrics", timeout=DEADLINE, trust_env=False).text
        page: Page = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                page.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
        return page

    def value(self, name: str, **labels: str) -> float | None:
        """Scrape once and return the value of one series, None if it is absent."""
        return self.page().get(name, {}).get(frozenset(labels.items()))


@contextmanager
def serving(
    state_dir: Path,
    *flags: str | Path,
    log: Path,
    environ: Mapping[str, str] = MappingProxyType({}),
    within: Sequence[str] = (),
) -> Iterator[Running]:
    """Run zope-exporter on a free loopback port for as long as the context lasts.

    `environ` is added to our environment; `within` is a command that runs the rest of its line.
    """
    command = [*within, sys.executable, "-m", "zope_exporter"]
    if "--web.listen-address" not in flags:
        command += ["--web.listen-address", "127.0.0.1:0"]
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, *map(str, flags)],
            env={**environment(state_dir), **environ},
            stderr=output,
            text=True,
        )
    try:
        yield Running(process, _url(process, log), log)
    finally:
        process.terminate()
        process.wait(DEADLINE)


def _url(process: "subprocess.Popen[str]", log: Path) -> str:
    def started() -> str | None:
        found = re.search(r'listens on (\S+)"', log.read_text())
        assert process.poll() is None, log.read_text()
        return found[1] if found else None

    return eventually(started) or ""
