from pathlib import Path

import pytest

from zope_exporter.system.cgroup import memory_limit

PID = 7
UNLIMITED_V1 = "9223372036854771712"


class Host:
    """A made-up /proc and /sys/fs/cgroup."""

    def __init__(self, root: Path) -> None:
        self.proc = root / "proc"
        self._sys = root / "sys"
        self._mounts = ["22 1 0:21 / /proc rw,nosuid - proc proc rw"]
        (self.proc / "self").mkdir(parents=True)
        (self.proc / str(PID)).mkdir()

    def groups(self, *lines: str) -> None:
        (self.proc / str(PID) / "cgroup").write_text("".join(f"{line}\n" for line in lines))

    def mount(self, kind: str, name: str, root: str = "/") -> None:
        options = f"rw,{name}" if kind == "cgroup" else "rw,nsdelegate"
        point = str(self._sys / name).replace(" ", r"\040")
        self._mounts.append(f"30 22 0:26 {root} {point} rw shared:9 - {kind} {kind} {options}")
        (self._sys / name).mkdir(parents=True)

    def limit(self, path: str, value: str) -> None:
        file = self._sys / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{value}\n")

    def memory_limit(self) -> int | None:
        (self.proc / "self" / "mountinfo").write_text("\n".join(self._mounts) + "\n")
        return memory_limit(PID, self.proc)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.mark.parametrize(
    ("slice_limit", "service_limit", "expected"),
    [
        ("max", "2000", 2000),
        ("1000", "2000", 1000),
        ("1000", "max", 1000),
        ("max", "0", 0),
        ("max", "max", None),
    ],
)
def test_version_2_takes_the_lowest_on_the_way_up(
    host: Host, slice_limit: str, service_limit: str, expected: int | None
) -> None:
    host.mount("cgroup2", "unified")
    host.groups("0::/system.slice/zope.service")
    host.limit("unified/system.slice/memory.max", slice_limit)
    host.limit("unified/system.slice/zope.service/memory.max", service_limit)
    host.limit("unified/other.slice/memory.max", "10")
    assert host.memory_limit() == expected


def test_version_1(host: Host) -> None:
    host.mount("cgroup", "memory")
    host.mount("cgroup", "cpu")
    host.groups("3:memory:/docker/abc", "2:cpu,cpuacct:/elsewhere", "1:name=systemd:/docker/abc")
    host.limit("memory/memory.limit_in_bytes", UNLIMITED_V1)
    host.limit("memory/docker/memory.limit_in_bytes", UNLIMITED_V1)
    assert host.memory_limit() is None
    host.limit("memory/docker/abc/memory.limit_in_bytes", "3000")
    assert host.memory_limit() == 3000


def test_hybrid_has_the_limit_in_version_1(host: Host) -> None:
    host.mount("cgroup", "memory")
    host.mount("cgroup2", "unified")
    host.groups("4:memory:/zope", "0::/zope")
    host.limit("memory/zope/memory.limit_in_bytes", "4000")
    assert host.memory_limit() == 4000


def test_own_namespace_begins_at_our_group(host: Host) -> None:
    host.mount("cgroup2", "unified")
    host.groups("0::/")
    host.limit("unified/memory.max", "5000")
    assert host.memory_limit() == 5000


def test_process_outside_our_namespace_has_not_our_limit(host: Host) -> None:
    host.mount("cgroup2", "unified")
    host.groups("0::/../other")
    host.limit("unified/memory.max", "5000")
    host.limit("other/memory.max", "6000")
    assert host.memory_limit() is None


def test_mount_that_shows_one_container_only(host: Host) -> None:
    host.mount("cgroup", "memory", root="/docker/abc")
    host.limit("memory/memory.limit_in_bytes", "7000")
    host.groups("3:memory:/docker/abc/child")
    assert host.memory_limit() == 7000
    host.groups("3:memory:/docker/def")
    assert host.memory_limit() is None


def test_removed_group_still_has_those_above(host: Host) -> None:
    host.mount("cgroup2", "unified")
    host.groups("0::/system.slice/zope.service (deleted)")
    host.limit("unified/system.slice/memory.max", "8000")
    assert host.memory_limit() == 8000


def test_mount_point_with_a_space(tmp_path: Path) -> None:
    host = Host(tmp_path / "a b")
    host.mount("cgroup2", "unified")
    host.groups("0::/")
    host.limit("unified/memory.max", "9000")
    assert host.memory_limit() == 9000


def test_no_control_groups_at_all(host: Host) -> None:
    host.groups()
    assert host.memory_limit() is None


def test_process_that_is_gone(host: Host) -> None:
    with pytest.raises(FileNotFoundError):
        host.memory_limit()
