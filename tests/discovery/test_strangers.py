"""What another user of this host can pretend: each test is an attack that was seen to succeed."""

import os
from collections.abc import Iterator
from subprocess import Popen

import psutil
import pytest

from tests.support.faults.rights import NOBODY, public_directory
from tests.support.zopes.lookalikes import zeo_client
from tests.support.zopes.strangers import FIRST, ZOPE, SharedHost
from zope_exporter.discovery.inventory import Inventory, Service, Site
from zope_exporter.discovery.memory import Memory
from zope_exporter.discovery.processes import Processes, find_processes
from zope_exporter.discovery.survey import Survey

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


class Host(SharedHost):
    """Searched as an exporter of root would."""

    def survey(self, *processes: "Popen[str]", declared: bool = True) -> Inventory:
        """Search as an exporter of root does that was started a moment ago."""

        def find() -> Processes:
            return find_processes(lambda: [psutil.Process(each.pid) for each in processes])

        given = Service("zope", "", config=self.good / "etc/zope.conf")
        sites = [Site("good", (given,))] if declared else []
        return Survey(Memory(self.directory / "state"), sites, find=find, hosts=frozenset)()


@pytest.fixture
def host() -> Iterator[Host]:
    with public_directory() as directory:
        yield Host(directory)


def running_in(inventory: Inventory, name: str) -> list[int | None]:
    (site,) = (site for site in inventory.sites if site.name == name)
    return [each.process.pid if each.process else None for each in site.services]


@pytest.mark.parametrize("declared", [True, False])
def test_a_stranger_s_process_does_not_hide_that_a_zope_is_down(host: Host, declared: bool) -> None:
    ini = host.good / "etc/zope.ini"
    with host.start(ini, ZOPE) as own:
        assert running_in(host.survey(own, declared=declared), "good") == [own.pid]
    with host.start(ini, NOBODY) as fake:
        found = host.survey(fake, declared=declared)
    assert running_in(found, "good") == [None]
    (told,) = (each for each in found.problems if "it is not watched" in each)
    assert f"process {fake.pid} of user {NOBODY} was started with {ini}, of user {ZOPE}" in told


def test_a_stranger_s_process_that_was_there_first_is_not_watched_instead(host: Host) -> None:
    ini = host.good / "etc/zope.ini"
    with host.start(ini, NOBODY) as fake, host.start(ini, ZOPE) as own:
        assert running_in(host.survey(fake, own), "good") == [own.pid]


def test_a_server_may_run_as_another_user_than_who_owns_its_configuration(host: Host) -> None:
    for path in (host.good / "etc").rglob("*"):
        os.chown(path, FIRST, FIRST)
    with host.start(host.good / "etc/zope.ini", ZOPE) as own:
        assert running_in(host.survey(own, declared=False), "good") == [own.pid]


@pytest.mark.parametrize("declared", [True, False])
def test_a_directory_of_the_same_name_joins_no_site(host: Host, declared: bool) -> None:
    own_ini = host.good / "etc/zope.ini"
    ini = host.instance("home/nobody/good", NOBODY)
    with host.start(own_ini, ZOPE) as own, host.start(ini, NOBODY) as fake:
        found = host.survey(own, fake, declared=declared)
    assert running_in(found, "good") == [own.pid]
    (good,) = (site for site in found.sites if site.name == "good")
    assert [storage.data_fs for storage in good.storages] == [host.data_fs]


def test_a_data_fs_of_somebody_else_is_nobody_s_database(host: Host) -> None:
    private = host.directory / "private"
    private.mkdir(mode=0o700)
    (private / "Data.fs").write_bytes(b"FS21")
    storage = f"<filestorage>\npath {private}/Data.fs\n</filestorage>"
    ini = host.instance("fake", NOBODY, storage)
    with host.start(ini, NOBODY) as fake:
        found = [host.survey(fake)]
    found.append(host.survey())  # it is remembered
    for inventory in found:
        assert private / "Data.fs" not in {each.data_fs for _, each in inventory.storages()}
        (site,) = (site for site in inventory.sites if site.name == "fake")
        (told,) = (each for each in site.services[0].problems if "left alone" in each)
        assert f"names {private}/Data.fs, of user 0: it is left alone" in told


def test_who_names_the_data_fs_of_a_site_does_not_bring_it_another_database(host: Host) -> None:
    storage = (
        f"<filestorage>\npath {host.data_fs}\n</filestorage>\nmount-point /x\n</zodb_db>\n"
        f"<zodb_db more>\n{zeo_client('127.0.0.1:1')}"
    )
    ini = host.instance("fake", NOBODY, storage)
    with host.start(host.good / "etc/zope.ini", ZOPE) as own, host.start(ini, NOBODY) as fake:
        found = host.survey(own, fake)
    assert running_in(found, "good") == [own.pid]
    (good,) = (site for site in found.sites if site.name == "good")
    assert [storage.database for storage in good.storages] == ["main"]


def test_a_client_of_the_zeo_server_of_a_site_does_not_bring_it_another_database(
    host: Host,
) -> None:
    zeo = zeo_client("127.0.0.1:1")
    own_ini = host.instance("shop", ZOPE, zeo)
    storage = (
        f"<filestorage>\npath {host.directory}/home/nobody/x/var/Data.fs\n</filestorage>\n"
        f"mount-point /x\n</zodb_db>\n<zodb_db more>\n{zeo}"
    )
    ini = host.instance("home/nobody/x", NOBODY, storage)
    with host.start(own_ini, ZOPE) as own, host.start(ini, NOBODY) as fake:
        host.survey(own)
        found = host.survey(own, fake)
    assert running_in(found, "shop") == [own.pid, fake.pid]
    assert {each.data_fs for _, each in found.storages()} == {host.data_fs}
    (shop,) = (site for site in found.sites if site.name == "shop")
    assert "ignored until zope_conf" in shop.services[1].problems[-1]
