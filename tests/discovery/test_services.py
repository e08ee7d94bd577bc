import os
import weakref
from pathlib import Path

import pytest

from tests.support.zopes.lookalikes import zeo_client, zeo_instance, zope_instance
from zope_exporter.discovery.candidate import Source
from zope_exporter.discovery.conf.config_file import ConfCache
from zope_exporter.discovery.conf.zope_conf import read_zope_conf
from zope_exporter.discovery.inventory import Process, Service
from zope_exporter.discovery.services import ServiceReader


def read(source: Source) -> Service:
    return ServiceReader().read(source).service


def test_a_zope_is_described_by_its_ini_and_its_zope_conf(tmp_path: Path) -> None:
    ini = zope_instance(tmp_path / "shop", port=8089)
    process = Process(7, 1.0)
    service = read(Source("zope", wsgi_ini=ini, debug=True, process=process))
    assert service.config == tmp_path / "shop/etc/zope.conf"
    assert service.home == tmp_path / "shop"
    assert service.urls == ("http://127.0.0.1:8089",)
    assert [database.data_fs for database in service.databases] == [tmp_path / "shop/var/Data.fs"]
    assert service.debug_mode
    assert service.process == process
    assert service.problems == ()


def test_a_zope_with_zserver_is_described_by_its_zope_conf_alone(tmp_path: Path) -> None:
    conf = tmp_path / "etc/zope.conf"
    conf.parent.mkdir()
    conf.write_text(
        f"instancehome {tmp_path}\n<http-server>\naddress 8081\n</http-server>\n"
        "<zodb_db main>\n<filestorage>\npath $(STORE)/Data.fs\n</filestorage>\n"
        "mount-point /\n</zodb_db>\n"
    )
    environ = {"STORE": "/store", "SECRET": "x"}
    reading = ServiceReader().read(Source("zope", conf, environ=environ))
    assert reading.service.urls == ("http://127.0.0.1:8081/",)
    assert reading.service.databases[0].data_fs == Path("/store/Data.fs")
    assert reading.environ == {"STORE": "/store"}


def test_a_zeo_server_is_described_by_its_storages(tmp_path: Path) -> None:
    conf = zeo_instance(tmp_path / "zeo", "127.0.0.1:8100", "main", "catalog")
    service = read(Source("zeo", conf))
    assert (service.kind, service.home, service.address) == (
        "zeo",
        tmp_path / "zeo",
        "127.0.0.1:8100",
    )
    assert [(d.zeo_storage, d.zeo_servers, d.data_fs) for d in service.databases] == [
        (name, ("127.0.0.1:8100",), tmp_path / f"zeo/var/{name}.fs") for name in ("main", "catalog")
    ]


@pytest.mark.parametrize("kind", ["zope", "zeo"])
def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path, kind: str) -> None:
    missing = tmp_path / "inst/etc/some.conf"
    service = read(Source("zeo" if kind == "zeo" else "zope", missing))
    assert service.home == tmp_path / "inst"
    assert str(missing) in service.problems[0]


def test_an_ini_without_zope_conf_is_a_problem(tmp_path: Path) -> None:
    ini = tmp_path / "other.ini"
    ini.write_text("[app:main]\nuse = egg:Other\n[server:main]\nuse = egg:waitress#main\n")
    service = read(Source("zope", wsgi_ini=ini))
    assert service.config is None
    assert any(str(ini) in problem for problem in service.problems)


def old(*files: Path) -> None:
    """Make files look as if they had not been touched for a while."""
    for file in files:
        os.utime(file, (1_000_000, 1_000_000))


def test_files_are_read_again_only_when_they_have_changed(tmp_path: Path) -> None:
    ini = zope_instance(tmp_path)
    conf = ini.with_name("zope.conf")
    old(conf)
    cache = ConfCache(lambda path, source: read_zope_conf(path, source.environ))
    first = cache.get(conf, Source("zope"))
    assert cache.get(conf, Source("zope")) is first
    assert cache.get(conf, Source("zope", environ={"A": "b"})) is not first
    conf.write_text(conf.read_text().replace("Data.fs", "Other.fs"))
    changed = cache.get(conf, Source("zope", environ={"A": "b"})).content
    assert changed is not None
    assert changed.databases[0].data_fs == tmp_path / "var/Other.fs"


def test_a_file_that_is_read_in_two_ways_by_turns_is_read_once_in_each(tmp_path: Path) -> None:
    conf = tmp_path / "zope.conf"
    conf.write_text("instancehome /srv/a\n")
    old(conf)
    cache = ConfCache(lambda path, source: read_zope_conf(path, source.environ))
    ways = Source("zope", environ={"HOME": "/root"}), Source("zope")
    first = [cache.get(conf, way).content for way in ways]
    again = [cache.get(conf, way).content for way in ways]
    assert all(one is other for one, other in zip(first, again, strict=True))


def test_files_that_nobody_asks_for_any_more_are_forgotten(tmp_path: Path) -> None:
    confs = [zope_instance(tmp_path / str(n)).with_name("zope.conf") for n in range(3)]
    old(*confs)
    cache = ConfCache(lambda path, source: read_zope_conf(path, source.environ))
    kept, gone, other = [cache.get(conf, Source("zope")) for conf in confs]
    cache.drop_unused()
    assert cache.get(confs[0], Source("zope")) is kept
    assert cache.get(confs[2], Source("zope")) is other
    cache.drop_unused()
    assert cache.get(confs[0], Source("zope")) is kept
    reference = weakref.ref(gone)
    del gone
    assert reference() is None


def test_a_change_of_an_included_file_is_seen(tmp_path: Path) -> None:
    ini = zope_instance(tmp_path, "%include storage.conf")
    storage = ini.with_name("storage.conf")
    storage.write_text(zeo_client("127.0.0.1:8100"))
    old(storage, ini, ini.with_name("zope.conf"))
    reader = ServiceReader()
    assert reader.read(Source("zope", wsgi_ini=ini)).service.databases[0].zeo_storage == "1"
    storage.write_text(zeo_client("127.0.0.1:8100", "2"))
    assert reader.read(Source("zope", wsgi_ini=ini)).service.databases[0].zeo_storage == "2"


def test_a_file_written_a_moment_ago_is_not_trusted_to_show_its_next_change(tmp_path: Path) -> None:
    conf = zope_instance(tmp_path).with_name("zope.conf")
    reader = ServiceReader()
    before = conf.stat()
    assert reader.read(Source("zope", conf)).service.databases[0].name == "main"
    conf.write_text(conf.read_text().replace("zodb_db main", "zodb_db mine"))
    os.utime(conf, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert reader.read(Source("zope", conf)).service.databases[0].name == "mine"


def test_secrets_of_the_environment_do_not_show(tmp_path: Path) -> None:
    conf = tmp_path / "zope.conf"
    conf.write_text(f"instancehome {tmp_path}\nfoo $(PASSWORD)\n")
    source = Source("zope", conf, environ={"PASSWORD": "hunter2"})
    assert "hunter2" not in repr((source, ServiceReader().read(source)))
