"""What may be one service is found by its files and process, each path resolved once."""

from pathlib import Path

from zope_exporter.discovery.candidate import Candidate, Source
from zope_exporter.discovery.index import Index, RealPaths
from zope_exporter.discovery.inventory import Process, Service
from zope_exporter.discovery.looking import Looking


class Noted(Looking):
    """Counts the looks."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: list[object] = []

    def __call__(self, what: object) -> None:
        self.looks.append(what)


def candidate(
    config: Path | None, pid: int | None = None, source: Source | None = None
) -> Candidate:
    process = Process(pid, 1.0) if pid else None
    service = Service("zope", name="", config=config, process=process)
    return Candidate(service, source or Source("zope", config))


def test_looks_grow_with_the_services_and_not_with_their_pairs(tmp_path: Path) -> None:
    looking = Noted()
    found = [candidate(tmp_path / f"{n}.conf", n + 1) for n in range(300)]
    index = Index(RealPaths(looking), found)
    for each in found:
        assert list(index.like(each.service, each.source)) == [each]
    assert len(looking.looks) == len(found)


def test_one_file_by_two_paths_is_found_in_the_order_of_addition(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    first, second = candidate(tmp_path / "a"), candidate(tmp_path / "link" / "a")
    index = Index(RealPaths(Looking()), [first, candidate(tmp_path / "b"), second])
    assert list(index.like(candidate(tmp_path / "link" / "a").service)) == [first, second]


def test_a_process_is_found_by_its_number_and_a_container_by_the_names_of_its_files() -> None:
    elsewhere = Source("zope", Path("/app/zope.conf"), root=Path("/proc/7/root"))
    one = candidate(Path("/proc/7/root/app/zope.conf"), 7, elsewhere)
    index = Index(RealPaths(Looking()), [one])
    assert list(index.like(candidate(None, 7).service)) == [one]
    named = candidate(Path("/app/zope.conf"))
    assert list(index.like(named.service)) == []
    assert list(index.like(named.service, named.source)) == [one]
