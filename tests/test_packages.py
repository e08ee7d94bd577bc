"""The distributions of the exporter and of the agent, as they would be uploaded."""

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.programs.built import build
from tests.support.programs.commands import Command
from tests.support.programs.debian import tool
from tests.support.programs.require import require
from zope_exporter import __version__
from zope_exporter.cli.main import main
from zope_exporter.clients.agent.package import shipped

TOP = Path(__file__).parents[1]


@dataclass(frozen=True)
class Built:
    sdist: Path
    wheel: Path  # of what the sdist holds, as an index' users may build it

    def of_wheel(self) -> dict[str, bytes]:
        with zipfile.ZipFile(self.wheel) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    def of_sdist(self) -> set[str]:
        with tarfile.open(self.sdist) as archive:
            return {name.partition("/")[2] for name in archive.getnames()}


def built(backend: str, source: Path, scratch: Path) -> Built:
    sdist = build(backend, "sdist", source, scratch)
    with tarfile.open(sdist) as archive:
        archive.extractall(scratch / "unpacked", filter="data")
    (unpacked,) = (scratch / "unpacked").iterdir()
    return Built(sdist, build(backend, "wheel", unpacked, scratch))


@pytest.fixture(scope="module")
def exporter(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return built("hatchling.build", TOP, tmp_path_factory.mktemp("exporter"))


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Built:
    scratch = tmp_path_factory.mktemp("agent")
    source = scratch / "source"  # where setuptools may leave what it likes
    shutil.copytree(TOP / "exporter/agent", source)
    return built("setuptools.build_meta", source, scratch)


def test_an_index_would_take_them(exporter: Built, agent: Built) -> None:
    files = exporter.sdist, exporter.wheel, agent.sdist, agent.wheel
    check = [sys.executable, "-m", "twine", "--no-color", "check", "--strict", *map(str, files)]
    run = subprocess.run(check, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout.count("PASSED")) == (0, 4), run.stdout + run.stderr


def test_the_changelog_begins_with_this_version_and_that_of_the_agent() -> None:
    changelog = (TOP / "exporter/docs/changelog.md").read_text()
    (newest, *_) = re.findall(r"^## (\d[\w.]*)", changelog, re.MULTILINE)
    (agent, *_) = re.findall(r"^### .*agent, (\d[\w.]*)", changelog, re.MULTILINE)
    assert (newest, agent) == (__version__, shipped().version)


def test_a_tag_of_what_is_checked_out_is_its_version() -> None:
    listing = ["git", "tag", "--points-at", "HEAD", "v*"]
    run = subprocess.run(listing, cwd=TOP, capture_output=True, text=True, check=True)
    assert set(run.stdout.split()) <= {f"v{__version__}"}


def test_the_wheel_of_the_sdist_is_that_of_the_checkout(exporter: Built, tmp_path: Path) -> None:
    wheel = build("hatchling.build", "wheel", TOP, tmp_path)
    assert Built(exporter.sdist, wheel).of_wheel() == exporter.of_wheel()


def test_they_carry_their_licence(exporter: Built, agent: Built) -> None:
    licence = (TOP / "exporter/LICENSE").read_bytes()
    for each in exporter, agent:
        assert licence in each.of_wheel().values()
    assert "LICENSE" in agent.of_sdist()


def test_the_agent_is_what_the_exporter_brings_along(agent: Built) -> None:
    code = {name: text for name, text in agent.of_wheel().items() if "dist-info" not in name}
    assert code == shipped().files
    assert agent.sdist.name == f"zope_exporter_agent-{shipped().version}.tar.gz"


@pytest.fixture
def man_page(exporter: Built, tmp_path: Path) -> Path:
    path = tmp_path / "zope-exporter.1"
    name = f"zope_exporter-{__version__}.data/data/share/man/man1/{path.name}"
    path.write_bytes(exporter.of_wheel()[name])
    return path


def test_the_man_page_has_every_command(man_page: Path) -> None:
    sections = re.findall(r"^\.SS (.*)$", man_page.read_text().replace(r"\-", "-"), re.MULTILINE)
    assert {f"zope-exporter {name}" for name in main.commands} <= set(sections)
    assert "zope-exporter plan restore" in sections


def test_the_man_page_can_be_read(man_page: Path) -> None:
    mandoc = require(tool, "mandoc")
    lint: Command = [mandoc, "-T", "lint", "-W", "warning", man_page]
    complaints = subprocess.run(lint, capture_output=True, text=True, check=False).stdout
    # It has the version; a date would be that of the build.
    assert "missing date" in complaints.splitlines().pop(0)
    assert len(complaints.splitlines()) == 1, complaints
    shown = subprocess.run(
        [mandoc, "-T", "ascii", "-O", "width=78", man_page],
        capture_output=True,
        text=True,
        check=True,
    )
    text = re.sub(".\b", "", shown.stdout)  # bold is a letter written twice
    assert "zope-exporter - Prometheus exporter for Zope, ZODB, ZEO and Plone\n" in text
    assert "       zope-exporter growth intranet --since 7d --by path\n" in text
