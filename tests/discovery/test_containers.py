"""Zopes whose files are in containers, as these come and go."""

from pathlib import Path

from zope_exporter.discovery.candidate import Source
from zope_exporter.discovery.inventory import Inventory, Process, Service, Site
from zope_exporter.discovery.memory import Memory
from zope_exporter.discovery.processes import Processes
from zope_exporter.discovery.survey import Survey

CONF = """\
instancehome /app
<zodb_db main>
  mount-point /
  <filestorage>
    path /data/Data.fs
  </filestorage>
</zodb_db>
<http-server>
  address 8080
</http-server>
"""
CONFIG = Path("/app/etc/zope.conf")


class Host:
    """A host that is searched time and again; `runs` are the containers on it, by number."""

    def __init__(self, place: Path, declared: tuple[Site, ...] = ()) -> None:
        self._proc = place / "proc"
        self.runs: list[int] = []
        self._survey = Survey(Memory(place / "state"), declared, find=self._find)

    def search(self) -> Inventory:
        return self._survey()

    def services(self) -> dict[str, Service]:
        found = self.search().services()
        return {f"{site}/{service.name}": service for site, service in found}

    def _find(self) -> Processes:
        return Processes(tuple(map(self._source, self.runs)))

    def _source(self, pid: int) -> Source:
        root = self._proc / str(pid) / "root"
        conf = root / CONFIG.relative_to("/")
        if not conf.exists():
            conf.parent.mkdir(parents=True)
            conf.write_text(CONF)
        return Source("zope", CONFIG, process=Process(pid, float(pid)), root=root)


def pids(services: dict[str, Service]) -> dict[str, int | None]:
    return {name: found.process.pid if found.process else None for name, found in services.items()}


def test_a_container_that_is_made_anew_keeps_its_names(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.runs = [70, 80]
    first, other = host.services()
    assert pids(host.services()) == {first: 70, other: 80}
    host.runs = [80]
    assert pids(host.services()) == {first: None, other: 80}
    assert pids(host.services()) == {first: None, other: 80}
    host.runs = [80, 91]
    services = host.services()
    assert pids(services) == {first: 91, other: 80}
    assert services[first].config == tmp_path / "proc/91/root/app/etc/zope.conf"


def test_of_a_container_that_has_gone_nothing_is_read_but_its_address_is_still_probed(
    tmp_path: Path,
) -> None:
    host = Host(tmp_path)
    host.runs = [70]
    [site] = host.search().sites
    assert [storage.data_fs for storage in site.storages] == [
        tmp_path / "proc/70/root/data/Data.fs"
    ]
    host.runs = []
    [gone] = host.search().sites
    assert gone.name == site.name
    assert gone.storages == ()
    assert gone.targets == site.targets != ()


def test_two_containers_have_files_of_their_own(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.runs = [70, 80]
    sites = host.search().sites
    assert len({site.name for site in sites}) == 2
    assert len({storage.data_fs for site in sites for storage in site.storages}) == 2


def test_a_configuration_is_given_as_it_is_called_in_the_container(tmp_path: Path) -> None:
    declared = Site("intranet", (Service("zope", "client1", CONFIG),))
    host = Host(tmp_path, (declared,))
    host.runs = [70]
    assert pids(host.services()) == {"intranet/client1": 70}
