from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from zope_exporter.discovery.conf.address import reachable, zeo_address
from zope_exporter.discovery.conf.config_file import ConfigFileError
from zope_exporter.discovery.conf.zeo_conf import ZeoConf, read_zeo_conf
from zope_exporter.discovery.conf.zope_conf import ZopeConf, read_zope_conf
from zope_exporter.discovery.inventory import Database

FILES = Path(__file__).parent / "files"


def read_text(tmp_path: Path, text: str, **environ: str) -> ZeoConf:
    path = tmp_path / "zeo.conf"
    path.write_text(text)
    return read_zeo_conf(path, environ)


def read_or_refuse(
    read: Callable[[Path], ZeoConf | ZopeConf], path: Path
) -> ZeoConf | ZopeConf | str:
    try:
        return read(path)
    except ConfigFileError as error:
        return str(error)


def served(
    address: str, name: str, data_fs: Path | None = None, blob_dir: Path | None = None
) -> Database:
    return Database(
        name,
        "filestorage" if data_fs else "other",
        data_fs=data_fs,
        blob_dir=blob_dir,
        zeo_servers=(address,),
        zeo_storage=name,
    )


def test_as_the_recipe_writes_it() -> None:
    path = FILES / "zeo_recipe" / "zeo.conf"

    assert read_zeo_conf(path) == ZeoConf(
        path=path,
        address="127.0.0.1:8100",
        monitor_address="127.0.0.1:8101",
        wants_tls=False,
        storages=(
            served(
                "127.0.0.1:8100",
                "1",
                Path("/srv/plone/var/filestorage/Data.fs"),
                Path("/srv/plone/var/blobstorage"),
            ),
            served("127.0.0.1:8100", "catalog", Path("/srv/plone/parts/zeo/catalog.fs")),
        ),
        pid_file=Path("/srv/plone/var/zeo.pid"),
        log=Path("/srv/plone/var/log/zeo.log"),
        log_format="%(asctime)s %(message)s",
        log_date_format=None,
        files=(path,),
        problems=(),
    )


def test_a_socket_an_unnamed_storage_and_no_log() -> None:
    path = FILES / "zeo_instance" / "zeo.conf"
    socket = "/srv/zeo/var/zeo.sock"

    assert read_zeo_conf(path, {"INSTANCE_HOME": "/srv/zeo"}) == ZeoConf(
        path=path,
        address=socket,
        monitor_address=None,
        wants_tls=False,
        storages=(
            served(socket, "1", Path("/srv/zeo/var/Data.fs"), Path("/srv/zeo/var/blobs")),
            served(socket, "scratch"),
        ),
        pid_file=Path("/srv/zeo/var/ZEO.pid"),
        log=None,
        log_format=None,
        log_date_format=None,
        files=(path,),
        problems=(),
    )


@pytest.mark.parametrize(
    "text", ["8100", ":8100", "localhost:8100", "LocalHost:8100", "127.0.0.1:8100", "0.0.0.0:8100"]
)
def test_one_server_has_one_address(tmp_path: Path, text: str) -> None:
    server = read_text(tmp_path, f"<zeo>\naddress {text}\n</zeo>\n<filestorage/>")
    path = tmp_path / "zope.conf"
    path.write_text(
        f"<zodb_db main>\nmount-point /\n<zeoclient>\nserver {text}\n</zeoclient>\n</zodb_db>"
    )

    assert server.address == "127.0.0.1:8100"
    assert read_zope_conf(path).databases[0].zeo_servers == (server.address,)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("zeo.example.com:8100", "zeo.example.com:8100"),
        ("[::1]:8100", "[::1]:8100"),
        ("[::]:8100", "[::1]:8100"),
        ("/srv//zeo/./zeo.sock", "/srv/zeo/zeo.sock"),
    ],
)
def test_other_addresses(text: str, address: str) -> None:
    assert zeo_address(text) == address


@pytest.mark.parametrize("text", ["", "localhost", "::1", "host:", "host:x", "host:65536", "a b"])
def test_no_addresses(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        zeo_address(text)


@given(st.text())
@example("/" * 3)
def test_an_address_means_itself(text: str) -> None:
    try:
        address = zeo_address(text)
    except ValueError:
        return
    assert zeo_address(address) == address


def test_wildcards_are_reached_by_loopback() -> None:
    assert [reachable(host, 80) for host in ("", "*", "0.0.0.0", "::", "10.0.0.5")] == [
        "127.0.0.1:80",
        "127.0.0.1:80",
        "127.0.0.1:80",
        "[::1]:80",
        "10.0.0.5:80",
    ]


def test_a_relative_socket_is_in_the_directory_of_the_process(tmp_path: Path) -> None:
    path = tmp_path / "zeo.conf"
    path.write_text("<zeo>\naddress var/zeo.sock\n</zeo>\n<mappingstorage 1/>")

    assert read_zeo_conf(path, {}, Path("/srv/zeo")).address == "/srv/zeo/var/zeo.sock"


def test_a_file_that_says_nothing(tmp_path: Path) -> None:
    conf = read_text(tmp_path, "")

    assert (conf.address, conf.storages, conf.pid_file, conf.log) == ("", (), None, None)
    assert conf.problems == (
        f"{tmp_path / 'zeo.conf'}: no usable address in <zeo>; add one, as 127.0.0.1:8100",
        f"{tmp_path / 'zeo.conf'}: serves no storage; add <filestorage 1>",
    )


LINES = [
    b"<zeo>",
    b"</zeo>",
    b"address 8100",
    b"address [::",
    b"monitor-address x/y",
    b"<filestorage 1>",
    b"</filestorage>",
    b"<demostorage>",
    b"</demostorage>",
    b"path ~x/Data.fs",
    b"path $(X)",
    b"blob-dir blobs",
    b"<eventlog>\n<logfile>\npath zeo.log\n</logfile>\n</eventlog>",
]


@settings(deadline=None)
@given(
    st.binary(max_size=300)
    | st.lists(st.sampled_from(LINES) | st.binary(max_size=20), max_size=20).map(b"\n".join)
)
def test_any_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any-zeo.conf"
    path.write_bytes(data)
    for found in (read_or_refuse(read_zeo_conf, path), read_or_refuse(read_zope_conf, path)):
        problems = [found] if isinstance(found, str) else found.problems
        assert all(str(path) in problem for problem in problems)
