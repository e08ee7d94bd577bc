"""Finding Prometheus and Alertmanager: on the PATH, else from the distribution, unpacked."""

from pathlib import Path

import pytest

from zope_exporter.demo.instance import DemoError
from zope_exporter.demo.programs import find_programs, relocate


def executable(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_those_on_the_path_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prometheus = executable(tmp_path / "bin/prometheus")
    alertmanager = executable(tmp_path / "bin/alertmanager")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    found = find_programs(tmp_path / "programs", tmp_path / "log")
    assert found == (prometheus, alertmanager)
    assert not (tmp_path / "programs").exists()


def test_others_are_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executable(tmp_path / "bin/prometheus")
    executable(tmp_path / "bin/apt-get", '#!/bin/sh\n[ "$1" = download ] && echo > "$2_1.deb"\n')
    unpack = '/bin/mkdir -p "$3/usr/bin" && echo made > "$3/usr/bin/prometheus-alertmanager"\n'
    executable(tmp_path / "bin/dpkg", f"#!/bin/sh\n{unpack}")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    _, alertmanager = find_programs(tmp_path / "programs", tmp_path / "log")
    assert alertmanager.read_text() == "made\n"
    assert alertmanager.is_relative_to(tmp_path / "programs")


def test_what_cannot_be_had_is_told_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executable(tmp_path / "bin/apt-get", "#!/bin/sh\necho no such package >&2; exit 100\n")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(DemoError, match="put both on the PATH") as caught:
        find_programs(tmp_path / "programs", tmp_path / "log")
    told, words = str(caught.value).splitlines()
    assert words == "no such package"
    Path(told.removesuffix(":").split()[-1]).unlink()  # the copy of the log that outlives a demo


def test_a_path_within_a_program_is_moved_in_place(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF /usr/share/prometheus/alertmanager/default.tmpl \0")
    relocate(program)
    assert program.read_bytes() == b"\x7fELF usr/share/prometheus/alertmanager//default.tmpl \0"
