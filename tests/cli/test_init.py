"""`init`, beside processes that look like Zope and ZEO servers."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.support.hostile.server import HostileServer
from tests.support.programs.exporter import zope_exporter
from tests.support.zopes.lookalikes import (
    program,
    running,
    zeo_client,
    zeo_instance,
    zope_instance,
)
from zope_exporter.app.check import Checked
from zope_exporter.app.first_files import first_files, first_pages
from zope_exporter.config.load import load_config
from zope_exporter.discovery.inventory import Inventory, Process, Service, Site, Target

FILES = {"config.yml", "prometheus-scrape.yml", "token", "zope-exporter.service"}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Path]:
    """A ZEO server and a client of it, below a directory whose name needs quotes in YAML."""
    home = tmp_path / "a: 'host'"
    address = "127.0.0.1:3"
    conf = zeo_instance(home / "storage", address)
    ini = zope_instance(home / "intranet", zeo_client(address), port=4)
    with ExitStack() as ending:
        for name, file in (("runzeo", ("-C", conf)), ("runwsgi", (ini,))):
            started = program(home / "bin" / name)
            ending.enter_context(running(started, *file, cwd=home))
        yield home


def init(tmp_path: Path) -> "subprocess.CompletedProcess[str]":
    return zope_exporter("init", tmp_path / "first", state_dir=tmp_path / "state")


def test_what_runs_is_in_the_configuration(tmp_path: Path, cluster: Path) -> None:
    run = init(tmp_path)
    assert run.returncode == 0, run.stderr
    first = tmp_path / "first"
    assert {path.name for path in first.iterdir()} == FILES
    assert not (tmp_path / "state").exists()
    config = load_config(first / "config.yml")
    (site,) = [each for each in config.sites if str(cluster) in str(each)]
    assert [instance.zope_conf for instance in site.instances] == [
        cluster / "intranet/etc/zope.conf"
    ]
    assert [zeo.conf for zeo in site.zeo] == [cluster / "storage/etc/zeo.conf"]
    check = zope_exporter("config", "check", first / "config.yml", state_dir=tmp_path / "state")
    assert (check.returncode, check.stderr) == (0, "")


def test_the_commented_parts_are_keys_too(tmp_path: Path, cluster: Path) -> None:
    """Whoever takes the comment signs away has a configuration still, also of several sites."""
    other = zope_instance(cluster / "shop", port=5)
    with running(program(cluster / "bin/runwsgi"), other, cwd=cluster):
        init(tmp_path)
    path = tmp_path / "first/config.yml"
    commented = re.compile(r"^( *)# (?=[a-z_]+:( \S+| {.*)?$|  )", re.MULTILINE)
    text = commented.sub(r"\1", path.read_text())
    path.write_text(text.replace("    backup: {elsewhere: true}\n", ""))
    config = load_config(path)
    assert config.actions
    assert config.actions.token_file == tmp_path / "first/token"
    assert config.state_dir == Path("/var/lib/zope-exporter")
    own = {"intranet", "shop"}
    assert {site.name for site in config.sites if site.ping and site.backup} >= own


def test_the_token_is_a_secret_and_not_printed(tmp_path: Path) -> None:
    run = init(tmp_path)
    token = tmp_path / "first/token"
    assert token.stat().st_mode & 0o777 == 0o600
    assert re.fullmatch("[0-9a-f]{64}\n", token.read_text())
    assert token.read_text().strip() not in run.stdout + run.stderr
    assert f"config check {tmp_path}/first/config.yml" in run.stdout


def test_unit_and_scrape_configuration_are_those_that_are_shipped(tmp_path: Path) -> None:
    host = "web1.example.org"
    texts = first_files(Inventory(), host)
    assert "ProtectSystem=strict" in texts["zope-exporter.service"]
    assert "--config.file=/etc/zope-exporter/config.yml" in texts["zope-exporter.service"]
    (job,) = yaml.safe_load(texts["prometheus-scrape.yml"])["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["web1.example.org:9673"]}]
    path = tmp_path / "config.yml"
    path.write_text(texts["config.yml"])
    assert load_config(path).sites == ()


def test_a_page_of_the_site_is_probed_where_one_answers() -> None:
    with HostileServer() as server:
        root = Target("client1", server.url("/"), any_answer=True)
        names = "intranet", "gone", "unknown"
        sites = tuple(Site(name, targets=(root,)) for name in names)
        roots = {"intranet": "ok", "gone": "404", "unknown": ""}
        pages = first_pages(Checked([], [], Inventory(sites), roots=roots))
        assert pages == {"intranet": server.url("/ok")}


def test_such_a_page_is_in_the_configuration(tmp_path: Path) -> None:
    zope = Service("zope", "client1", tmp_path / "zope.conf", urls=("http://127.0.0.1:8080/",))
    sites = Site("intranet", (zope,)), Site("shop", (replace(zope, config=tmp_path / "other"),))
    page = "http://127.0.0.1:8080/Plone/@@ok"
    (tmp_path / "config.yml").write_text(
        first_files(Inventory(sites), "web1", {"intranet": page})["config.yml"]
    )
    intranet, shop = load_config(tmp_path / "config.yml").sites
    assert [ping.url for ping in intranet.ping] == [page]
    assert shop.ping == ()


def test_a_directory_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.mkdir()
    (first / "mine").touch()
    run = init(tmp_path)
    assert run.returncode == 3
    assert f"refused: {first} is not empty; name a new directory" in run.stderr
    assert [path.name for path in first.iterdir()] == ["mine"]
    (first / "mine").unlink()
    first.rmdir()
    first.touch()
    assert init(tmp_path).returncode == 3


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    run = zope_exporter("init", tmp_path / "missing/first", state_dir=tmp_path / "state")
    assert run.returncode == 1
    assert f"{tmp_path}/missing/first: No such file or directory" in run.stderr


def test_what_goes_with_its_process_is_in_comments_alone(tmp_path: Path) -> None:
    inside = Service("zope", "app", Path("/proc/7/root/app/zope.conf"), process=Process(7, 0.0))
    rude = Service("zope", "rude", Path("/srv/a\nsites: []\n/zope.conf"))
    twice = Service("zope", "one", Path("/srv/zope.conf"), urls=("http://127.0.0.1:8080",))
    sites = Site("a", (inside,)), Site("b", (rude,)), Site("c", (twice,)), Site("d", (twice,))
    path = tmp_path / "config.yml"
    path.write_text(first_files(Inventory(sites), "host\n")["config.yml"])
    (site,) = load_config(path).sites
    assert (site.name, site.instances[0].zope_conf) == ("c", Path("/srv/zope.conf"))
    assert "# Also here: Zope app, of /proc/7/root/app/zope.conf" in path.read_text()
