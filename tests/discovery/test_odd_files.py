"""The exporter beside servers whose files are FIFOs, devices, directories, sockets or huge."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.faults.odd_files import ODD
from tests.support.programs.exporter import Running, serving, zope_exporter
from tests.support.programs.processes import eventually
from tests.support.zopes.lookalikes import program, running, zope_instance

Make = Callable[[Path], object]


def instance(home: Path, line: str = "") -> Path:
    """The files of a Zope that listens nowhere, with another line in its zope.conf."""
    ini = zope_instance(home, port=1)
    (home / "var").mkdir()
    conf = home / "etc/zope.conf"
    conf.write_text(f"{conf.read_text()}{line}\n")
    return ini


def with_pid_file(home: Path, make: Make) -> Path:
    make(home.parent / f"{home.name}.odd")
    return instance(home, f"pid-filename {home}.odd")


def with_include(home: Path, make: Make) -> Path:
    make(home.parent / f"{home.name}.odd")
    return instance(home, f"%include {home}.odd")


def with_zope_conf(home: Path, make: Make) -> Path:
    ini = instance(home)
    (home / "etc/zope.conf").unlink()
    make(home / "etc/zope.conf")
    return ini


def with_ini(home: Path, make: Make) -> Path:
    ini = instance(home)
    ini.unlink()
    make(ini)
    return ini


def with_logs(home: Path, make: Make) -> Path:
    make(home.parent / f"{home.name}.odd")
    log = f"<logfile>\npath {home}.odd\n</logfile>"
    return instance(home, f"<eventlog>\n{log}\n</eventlog>\n<logger access>\n{log}\n</logger>")


@contextmanager
def zopes(inis: dict[str, Path], runwsgi: Path) -> Iterator[None]:
    with ExitStack() as stack:
        for ini in inis.values():
            stack.enter_context(running(runwsgi, ini, cwd=runwsgi.parent))
        yield


def with_data_fs(home: Path, make: Make) -> Path:
    make(home.parent / f"{home.name}.odd")
    return zope_instance(home, f"<filestorage>\npath {home}.odd\n</filestorage>", port=1)


def with_blob_dir(home: Path, make: Make) -> Path:
    make(home.parent / f"{home.name}.odd")
    ini = zope_instance(
        home,
        f"<filestorage>\npath {home}/var/Data.fs\nblob-dir {home}.odd\n</filestorage>",
        port=1,
    )
    (home / "var").mkdir()
    (home / "var/Data.fs").write_bytes(b"FS21")
    return ini


KINDS = "fifo", "device", "directory", "socket", "sparse", "loop"
ROLES = {
    "pid-file": with_pid_file,
    "include": with_include,
    "zope-conf": with_zope_conf,
    "ini": with_ini,
    "logs": with_logs,
    "data-fs": with_data_fs,
    "blob-dir": with_blob_dir,
}


def up(exporter: Running) -> dict[str, float]:
    """Whether each Zope runs, by the name of its site."""
    series = exporter.page().get("zope_process_up", {})
    return {dict(labels)["site"]: value for labels, value in series.items()}


def searches(exporter: Running) -> float | None:
    return exporter.value("zope_collector_success", collector="discovery")


def test_other_servers_are_found_and_the_search_goes_on(tmp_path: Path) -> None:
    runwsgi = program(tmp_path / "runwsgi")
    odd = {
        f"{role}-{kind}": make_instance(tmp_path / f"{role}-{kind}", ODD[kind])
        for role, make_instance in ROLES.items()
        for kind in KINDS
    }
    shop = {"shop": instance(tmp_path / "shop")}
    late = {"late": instance(tmp_path / "late")}
    state, log = tmp_path / "state", tmp_path / "exporter.log"
    with zopes(shop, runwsgi):
        with serving(state, log=log) as exporter:
            with zopes(odd, runwsgi):
                # Each is seen, with whatever is left of its description.
                eventually(lambda: up(exporter).items() >= dict.fromkeys(odd, 1.0).items())
            eventually(lambda: not any(up(exporter).get(name) for name in odd))
            with zopes(late, runwsgi):
                eventually(lambda: up(exporter).get("late") == 1)
            assert up(exporter)["shop"] == 1
            assert searches(exporter) == 1
        # What is remembered of them does not keep the next one from searching either.
        with serving(state, log=log) as exporter:
            eventually(lambda: up(exporter).get("shop") == 1)
            assert up(exporter)["late"] == 0
            assert searches(exporter) == 1
        check = zope_exporter("check", state_dir=state).stdout
        assert re.search(r"^OK +shop +shop ", check, re.MULTILINE)
        odd_pid = tmp_path / "pid-file-fifo.odd"
        assert f"{odd_pid}: a FIFO, not a regular file; name a regular file" in check
