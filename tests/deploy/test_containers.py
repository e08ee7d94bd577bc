"""The image built and run by a real engine, by itself and beside a Zope in another container."""

import re
import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import bcrypt
import psutil
import pytest
import trustme

from tests.support.programs import backend, pod
from tests.support.programs.backend import URL, ask, until, value
from tests.support.programs.images import PYTHON, TOP, base_images, wheels
from tests.support.programs.podman import Container, Engine, engine
from tests.support.programs.processes import eventually, is_gone
from tests.support.programs.require import require
from tests.support.zopes.lookalikes import program
from zope_exporter.clients.agent.client import AgentClient
from zope_exporter.clients.agent.sockets import find_sockets
from zope_exporter.discovery.inventory import Inventory
from zope_exporter.discovery.memory import Memory
from zope_exporter.discovery.processes import find_processes
from zope_exporter.discovery.site_paths import site_paths
from zope_exporter.discovery.survey import Survey
from zope_exporter.system.foreign_file import opened

IMAGE = "zope-exporter"
OFFLINE = "[global]\nno-index = true\nfind-links = /wheels\n"
APP = {"site": "app", "zope": "app"}
MAIN = {"site": "app", "database": "main"}
HOSTILE = """\
%include link.conf
instancehome /evil
<zodb_db main>
  mount-point /
  <filestorage>
    path /evil/var/Data.fs
  </filestorage>
</zodb_db>
"""
AGENT_ALONE = """\
discover: false
sites:
  - name: intranet
    instances: [{name: plone, agent: "unix:/data"}]
"""
CAPABLE = ("--user=0:0", "--cap-drop=ALL", "--cap-add=SYS_PTRACE", "--cap-add=DAC_READ_SEARCH")


@pytest.fixture(scope="module")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine that has the image of the Dockerfile."""
    home = tmp_path_factory.mktemp("containers")
    images = require(base_images)
    offline = home / "pip.conf"
    offline.write_text(OFFLINE)
    found = require(wheels, images)
    with ExitStack() as ending:
        made = require(ending.enter_context, engine(home / "engine", (images,)))
        mounts = f"--volume={found}:/wheels:ro", f"--volume={offline}:/etc/pip.conf:ro"
        made.build(TOP, IMAGE, "--layers=false", *mounts)
        yield made


@pytest.fixture(scope="module")
def zope(podman: Engine, tmp_path_factory: pytest.TempPathFactory) -> Container:
    """A Zope in plone-backend's layout, in a network of its own."""
    backend.build(podman, tmp_path_factory.mktemp("context"))
    return backend.start(podman, "--name=plone")


def beside(podman: Engine, zope: Container, *words: str, flags: tuple[str, ...]) -> Container:
    shared = f"--pid=container:{zope.name}", f"--network=container:{zope.name}"
    return podman.start(IMAGE, *words, flags=("--read-only", *shared, *flags))


def checked(podman: Engine, zope: Container, *flags: str) -> str:
    container = beside(podman, zope, "check", flags=flags)
    container.wait()
    return container.logs()


def web_config(directory: Path, *parts: str) -> None:
    """A web configuration that keeps a mere GET of a fixed URL out."""
    leaf = trustme.CA().issue_cert("exporter.example")
    leaf.private_key_pem.write_to_path(directory / "server.key")
    leaf.cert_chain_pems[0].write_to_path(directory / "server.crt")
    password = bcrypt.hashpw(b"geheim", bcrypt.gensalt(4)).decode()
    lines = {
        "password": f'basic_auth_users: {{alice: "{password}"}}\n',
        "tls": "tls_server_config: {cert_file: server.crt, key_file: server.key}\n",
    }
    (directory / "web.yml").write_text("".join(map(lines.__getitem__, parts)) or "{}\n")
    for file in directory.iterdir():
        file.chmod(0o644)
    directory.chmod(0o755)


@pytest.mark.parametrize(
    ("parts", "address"),
    [((), ":9673"), (("password",), "127.0.0.1:9000"), (("password", "tls"), ":9443")],
)
def test_the_image_is_well_whatever_it_listens_on(
    podman: Engine, tmp_path: Path, parts: tuple[str, ...], address: str
) -> None:
    web_config(tmp_path, *parts)
    flags = f"--web.listen-address={address}", "--web.config.file=/web/web.yml"
    mount = "--read-only", f"--volume={tmp_path}:/web:ro"
    exporter = podman.start(IMAGE, *flags, flags=mount)
    until(exporter, lambda: podman.run_podman("healthcheck", "run", exporter.name).returncode == 0)
    scheme = "https" if "tls" in parts else "http"
    assert f"{scheme}://" in exporter.logs()
    assert exporter.run("id", "-u").stdout == "65532\n"
    assert exporter.run("touch", "/var/lib/zope-exporter/x").returncode == 0
    assert exporter.run("touch", "/opt/x").returncode != 0
    assert exporter.stop() == 0


def documented_command() -> list[str]:
    """What to run beside a container by the documentation, in podman's own network."""
    pattern = r"^docker run (.*--pid=container:plone .*\\\n.*\n)"
    found = re.search(pattern, (TOP / "exporter/docs/containers.md").read_text(), re.MULTILINE)
    assert found
    return shlex.split(found[1].replace("\\\n", ""))


@pytest.fixture(scope="module")
def exporter(podman: Engine, zope: Container) -> Container:
    """The exporter beside Zope, as the documentation has it run."""
    words = documented_command()
    assert words[-1] == IMAGE
    assert f"--user={zope.run('stat', '-c', '%u:%g', '/proc/1').stdout.strip()}" in words
    container = podman.start(IMAGE, flags=tuple(words[:-1]))
    until(container, lambda: value(container, "zope_filestorage_size_bytes", **MAIN) is not None)
    return container


def test_init_leaves_to_discovery_what_goes_with_its_container(exporter: Container) -> None:
    first = "/var/lib/zope-exporter/first"
    made = exporter.run("zope-exporter", "init", first)
    assert "found: zope app of site app\n" in made.stdout
    checked = exporter.run("zope-exporter", "config", "check", f"{first}/config.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "zope_conf" not in exporter.run("cat", f"{first}/config.yml").stdout
    said = exporter.run("zope-exporter", "check", "--config.file", f"{first}/config.yml").stdout
    assert said.startswith("OK: "), said
    assert "/data/filestorage/Data.fs" in said


def test_the_documented_command_sees_all_of_a_zope_whose_files_are_in_its_image(
    exporter: Container,
) -> None:
    until(exporter, lambda: value(exporter, "zope_ping_up", site="app") == 1)
    assert value(exporter, "zope_process_up", **APP) == 1
    assert value(exporter, "zope_process_open_fds", **APP)
    assert value(exporter, "zope_agent_up", **APP) == 1
    assert value(exporter, "zope_cache_target_objects", **APP) == 1234
    assert value(exporter, "zope_blob_size_bytes", **MAIN) is not None


def test_every_collector_succeeds_there(exporter: Container) -> None:
    _, text = ask(exporter, f"{URL}/metrics")
    failed = re.findall(r'^zope_collector_success\{collector="(\w+)"\} 0', text, re.MULTILINE)
    assert failed == [], exporter.logs()


def test_its_state_is_kept_by_whichever_user_it_is_run_as(exporter: Container) -> None:
    assert exporter.run("id", "-u").stdout == "500\n"
    assert exporter.run("ls", "/var/lib/zope-exporter").stdout


def test_root_with_two_capabilities_sees_all_but_the_agent(podman: Engine, zope: Container) -> None:
    text = checked(podman, zope, *CAPABLE)
    assert "/proc/1/root/data/filestorage/Data.fs" in text
    assert "ping app" in text
    assert "socket-group" in text


@pytest.mark.parametrize("user", ["500", "65532:65532"])
def test_another_user_or_group_is_told_which_it_takes(
    podman: Engine, zope: Container, user: str
) -> None:
    text = checked(podman, zope, f"--user={user}")
    assert "500:1000" in text
    assert "container" in text
    assert "Data.fs" not in text


def looked_at_from_the_host(container: Container, state: Path) -> Inventory:
    """What an exporter on the host finds out about the first process of this container."""
    only = [psutil.Process(container.pid)]
    return Survey(Memory(state), find=lambda: find_processes(lambda: only))()


def test_an_exporter_on_the_host_sees_into_the_container(zope: Container, tmp_path: Path) -> None:
    [site] = looked_at_from_the_host(zope, tmp_path / "state").sites
    [service] = site.services
    root = Path("/proc", str(zope.pid), "root")
    assert service.config == root / "app/etc/zope.conf"
    [storage] = site.storages
    assert storage.data_fs == root / "data/filestorage/Data.fs"  # by way of the link /app/var
    assert storage.data_fs.stat().st_size
    paths = site_paths(site)  # by which the commands of the runbooks work on the host
    assert paths["PID"] == str(zope.pid)
    assert paths["ZOPE_CONF"] == str(root / "app/etc/zope.conf")
    assert Path(paths["DATA_FS"]).samefile(storage.data_fs)
    [socket] = find_sockets(service)
    assert AgentClient(socket, 30).status().text("agent", "version")
    assert site.targets == ()  # what is at 127.0.0.1 here is somebody else's
    assert "network" in " ".join(service.problems)


def test_a_link_in_a_container_leads_to_no_file_of_the_host(
    zope: Container, tmp_path: Path
) -> None:
    evil, ours = tmp_path / "evil", tmp_path / "ours"
    ours.mkdir()
    (ours / "secret.conf").write_text("<zodb_db secret>\n  mount-point /\n</zodb_db>\n")
    (ours / "Data.fs").write_bytes(b"FS30")
    program(evil / "runzope", "import time; time.sleep(600)\n")
    (evil / "link.conf").symlink_to(ours / "secret.conf")
    (evil / "var").symlink_to(ours)
    (evil / "zope.conf").write_text(HOSTILE)
    words = "--entrypoint=/app/bin/python", "--user=0:0", f"--volume={evil}:/evil"
    there = zope.engine.start(backend.IMAGE, "/evil/runzope", "-C", "/evil/zope.conf", flags=words)
    eventually(lambda: "runzope" in " ".join(psutil.Process(there.pid).cmdline()))
    [site] = looked_at_from_the_host(there, tmp_path / "state").sites
    [service] = site.services
    assert [database.name for database in service.databases] == ["main"]
    assert "link.conf" in " ".join(service.problems)
    [storage] = site.storages
    with pytest.raises(FileNotFoundError), opened(storage.data_fs):
        pass
    with pytest.raises(FileNotFoundError), opened(Path(f"/proc/{there.pid}/root/evil/var/Data.fs")):
        pass


def test_a_server_that_the_environment_chooses_is_found(podman: Engine, zope: Container) -> None:
    del zope  # its image
    client = backend.start_zeo(podman)
    text = checked(podman, client, "--user=500:1000")
    assert "database main (zeo)" in text
    assert re.search(r"OK .* 127\.0\.0\.1:8100", text), text


def test_an_agent_alone_is_enough_across_containers_and_their_renewal(
    podman: Engine, zope: Container, tmp_path: Path
) -> None:
    """Without Zope's processes, files or network: nothing but its volume is shared."""
    del zope
    config = tmp_path / "config.yml"
    config.write_text(AGENT_ALONE)
    config.chmod(0o644)
    tmp_path.chmod(0o755)
    shared = "--volume=shared:/data"
    first = backend.start(podman, shared)
    mounts = shared, f"--volume={config}:/config.yml:ro", "--user=500:1000"
    exporter = podman.start(IMAGE, "--config.file=/config.yml", flags=mounts)

    def is_up() -> bool:
        values = [value(exporter, f"zope_{what}_up", zope="plone") for what in ("process", "agent")]
        return values == [1, 1]

    until(exporter, is_up)
    first.engine.podman("rm", "--force", "--time", "0", first.name)  # its socket is left behind
    until(exporter, lambda: value(exporter, "zope_process_up", zope="plone") == 0)
    assert value(exporter, "zope_agent_up", zope="plone") == 0
    backend.start(podman, shared)
    until(exporter, is_up)


def test_the_shipped_pod_sees_all_of_its_zope(
    podman: Engine, zope: Container, tmp_path: Path
) -> None:
    del zope  # its image
    plone, exporter = pod.play(podman, tmp_path, IMAGE)
    site = {"site": "zope-app"}  # of the pod's host name, as many a pod has an app
    until(exporter, lambda: value(exporter, "zope_ping_up", **site) == 1)
    until(exporter, lambda: value(exporter, "zope_agent_up", **site) == 1)
    assert value(exporter, "zope_process_up", **site) == 1
    assert value(exporter, "zope_filestorage_size_bytes", **site)
    assert value(exporter, "zope_cache_target_objects", **site) == 1234
    assert exporter.run("id", "-u").stdout == plone.run("id", "-u").stdout == "500\n"
    assert podman.run_podman("healthcheck", "run", exporter.name).returncode == 0


def test_no_container_is_left_that_shares_what_another_has(tmp_path: Path) -> None:
    with ExitStack() as ending:
        images = require(base_images)
        own = require(ending.enter_context, engine(tmp_path / "engine", (images,)))
        first = own.start(PYTHON, "sleep", "600")
        shared = f"--network=container:{first.name}", f"--pid=container:{first.name}"
        pids = [first.pid, own.start(PYTHON, "sleep", "600", flags=shared).pid]
    assert all(map(is_gone, pids))
    assert str(tmp_path) not in Path("/proc/mounts").read_text()
