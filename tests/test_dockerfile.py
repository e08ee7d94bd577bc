"""What can be tried of the Dockerfile without a container engine; hadolint reads the rest."""

import json
import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib.metadata import metadata
from pathlib import Path

import bcrypt
import pytest
import trustme

from tests.support.programs.cache import UnavailableError
from tests.support.programs.exporter import DEADLINE, Running, serving
from tests.support.programs.processes import eventually
from tests.support.programs.require import require
from zope_exporter import __version__
from zope_exporter.system.healthcheck import TIMEOUT, VARIABLE

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


def test_its_labels_are_those_of_the_package() -> None:
    package = metadata("zope-exporter")
    (base,) = set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))
    assert dict(re.findall(r'org\.opencontainers\.image\.([a-z.]+)="(.+?)"', DOCKERFILE)) == {
        "title": package["Name"],
        "description": package["Summary"],
        "version": __version__,
        "licenses": package["License-Expression"],
        "base.name": f"docker.io/library/{base}",
    }


@pytest.fixture
def healthcheck() -> list[str]:
    found = re.search(r"^HEALTHCHECK .*CMD \\\n *(\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert found
    python, *arguments = json.loads(found[1])
    assert python == "python"
    return [sys.executable, *arguments]


@pytest.fixture
def quiet(tmp_path: Path) -> tuple[str | Path, ...]:
    """Flags that keep away from whatever else runs on this host."""
    config = tmp_path / "zope-exporter.yml"
    config.write_text("discover: false\n")
    return "--config.file", config


def image_environment() -> dict[str, str]:
    return dict(re.findall(rf"^(?:ENV| ) +({VARIABLE})=(\S+)", DOCKERFILE, re.MULTILINE))


def own_environment() -> dict[str, str]:
    """That of the image, but for the name, which others on this host may use."""
    return {name: f"{value}-{uuid.uuid4()}" for name, value in image_environment().items()}


def check(command: Sequence[str | Path], environ: Mapping[str, str]) -> int:
    """What the health check says, as far from the exporter as in a container: by environment."""
    done = subprocess.run(
        list(map(str, command)),
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        timeout=DEADLINE,
        check=False,
    )
    assert b"Traceback" not in done.stderr
    return done.returncode


class Protected:
    """Web configurations of which each keeps a mere GET of a fixed URL out."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        ca = trustme.CA()
        ca.cert_pem.write_to_path(directory / "ca.crt")
        leaf = ca.issue_cert("exporter.example")
        leaf.private_key_pem.write_to_path(directory / "server.key")
        leaf.cert_chain_pems[0].write_to_path(directory / "server.crt")

    def write(self, *parts: str) -> Path:
        password = bcrypt.hashpw(b"geheim", bcrypt.gensalt(4)).decode()
        tls = "cert_file: server.crt, key_file: server.key"
        clients = ", client_ca_file: ca.crt, client_auth_type: RequireAndVerifyClientCert"
        lines = {
            "password": f'basic_auth_users: {{alice: "{password}"}}',
            "tls": f"tls_server_config: {{{tls}}}",
            "client certificate": f"tls_server_config: {{{tls}{clients}}}",
        }
        path = self._directory / "web.yml"
        path.write_text("".join(f"{lines[part]}\n" for part in parts) or "{}\n")
        return path


@pytest.mark.parametrize("address", ["127.0.0.1:0", "127.0.0.2:0", "[::1]:0", ":0"])
@pytest.mark.parametrize(
    "parts",
    [(), ("password",), ("tls",), ("password", "client certificate")],
    ids=" and ".join,
)
def test_its_health_check_tells_well_from_unwell(
    healthcheck: list[str],
    quiet: tuple[str | Path, ...],
    tmp_path: Path,
    parts: tuple[str, ...],
    address: str,
) -> None:
    environ = own_environment()
    flags = (*quiet, "--web.listen-address", address)
    flags += ("--web.config.file", Protected(tmp_path).write(*parts)) if parts else ()
    with serving(tmp_path, *flags, log=tmp_path / "log", environ=environ) as exporter:
        assert exporter.url.startswith("http:") != ("tls" in " ".join(parts) or len(parts) == 2)
        assert check(healthcheck, environ) == 0
        assert eventually(lambda: check([*healthcheck, "ready"], environ) == 0)
    assert check(healthcheck, environ) == 1


def test_its_health_check_tells_that_the_exporter_is_stuck(
    healthcheck: list[str], quiet: tuple[str | Path, ...], tmp_path: Path
) -> None:
    environ = own_environment()
    with serving(tmp_path, *quiet, log=tmp_path / "log", environ=environ) as exporter:
        exporter.process.send_signal(signal.SIGSTOP)
        try:
            assert check(healthcheck, environ) == 1
        finally:
            exporter.process.send_signal(signal.SIGCONT)
        assert check(healthcheck, environ) == 0


def test_its_health_check_leaves_time_to_say_no() -> None:
    [timeout] = re.findall(r"^HEALTHCHECK .*--timeout=(\d+)s ", DOCKERFILE, re.MULTILINE)
    assert int(timeout) > TIMEOUT


def test_its_health_check_imports_little() -> None:
    """It runs as often as twice a minute, within the memory of the container."""
    program = "import sys, zope_exporter.system.healthcheck; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    ours = {name for name in run.stdout.split() if name.startswith("zope_exporter")}
    of_check = {"zope_exporter.system", "zope_exporter.system.healthcheck"}
    assert ours == {"zope_exporter", *of_check}


def test_containers_that_share_a_network_have_health_checks_of_their_own(
    healthcheck: list[str], quiet: tuple[str | Path, ...], tmp_path: Path
) -> None:
    require(own_mounts)
    environ = image_environment()

    def within(exporter: Running) -> list[str]:
        return ["nsenter", f"--mount=/proc/{exporter.process.pid}/ns/mnt", *healthcheck]

    with ExitStack() as ending:
        first, second = (
            ending.enter_context(
                serving(
                    tmp_path / name,
                    *quiet,
                    log=tmp_path / f"{name}.log",
                    environ=environ,
                    within=("unshare", "--mount"),
                )
            )
            for name in ("first", "second")
        )
        assert check(within(first), environ) == 0
        first.process.send_signal(signal.SIGSTOP)
        try:
            assert check(within(second), environ) == 0
            assert check(within(first), environ) == 1
        finally:
            first.process.send_signal(signal.SIGCONT)


def own_mounts() -> None:
    """Raise UnavailableError unless we may have a mount namespace, as a container has."""
    try:
        run = subprocess.run(
            ["unshare", "--mount", "true"], capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise UnavailableError("needs unshare of util-linux") from error
    if run.returncode:
        raise UnavailableError(f"needs the right to mount: {run.stderr}")
