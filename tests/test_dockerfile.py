"""What can be tried of the Dockerfile without a container engine; hadolint reads the rest."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.exporter import DEADLINE, serving

TOP = Path(__file__).parents[1]
DOCKERFILE = (TOP / "Dockerfile").read_text()


def test_it_builds_in_two_stages_and_ends_as_nobody_in_particular() -> None:
    assert len(re.findall(r"^FROM ", DOCKERFILE, re.MULTILINE)) == 2
    user = re.findall(r"^USER (.*)", DOCKERFILE, re.MULTILINE)[-1]
    assert all(int(part) > 0 for part in user.split(":"))


def test_all_that_the_package_is_made_of_gets_into_the_image() -> None:
    copied = {
        path
        for line in re.findall(r"^COPY (?!--)(.*) \S+$", DOCKERFILE, re.MULTILINE)
        for path in line.split()
    }
    ignore = (TOP / ".dockerignore").read_text().splitlines()
    assert {f"!{path}" for path in copied} <= set(ignore)
    project = (TOP / "pyproject.toml").read_text()
    included = re.findall(r'^"(\S+)" = "zope_exporter/', project, re.MULTILINE)
    assert included
    needed = {"exporter", *(Path(path).parts[0] for path in included)}
    assert needed <= copied


@pytest.fixture
def healthcheck() -> list[str]:
    found = re.search(r"^HEALTHCHECK .*CMD \\\n *(\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert found
    python, *arguments = json.loads(found[1])
    assert python == "python"
    return [sys.executable, *arguments]


def test_its_health_check_tells_well_from_unwell(healthcheck: list[str], tmp_path: Path) -> None:
    config = tmp_path / "zope-exporter.yml"
    config.write_text("discover: false\n")

    def status(url: str) -> int:
        command = [part.replace("http://127.0.0.1:9673", url) for part in healthcheck]
        assert command != healthcheck
        return subprocess.run(
            command, stderr=subprocess.DEVNULL, timeout=DEADLINE, check=False
        ).returncode

    with serving(tmp_path, "--config.file", config, log=tmp_path / "log") as exporter:
        assert status(exporter.url) == 0
        url = exporter.url
    assert status(url) == 1
