import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from zope_exporter.discovery.conf.wsgi_ini import read_wsgi_ini
from zope_exporter.discovery.conf.zope_conf import ZopeConf, read_zope_conf
from zope_exporter.discovery.inventory import Database, TlsFiles

FILES = Path(__file__).parent / "files"

# What Zope itself makes of the two files of an instance, in a process of its own.
ZOPE = """
import json, logging, sys
from paste.deploy import appconfig
from paste.deploy.loadwsgi import SERVER, loadcontext
from waitress.adjustments import Adjustments
from Zope2.Startup.options import ZopeWSGIOptions
from Zope2.Startup.serve import setup_logging

ini = sys.argv[1]
setup_logging(ini)
conf = appconfig("config:" + ini, name="zope")["zope_conf"]
server = Adjustments(**loadcontext(SERVER, "config:" + ini).local_conf)
root = ZopeWSGIOptions(configfile=conf)().configroot
files = {
    name: [h.baseFilename for h in logging.getLogger(name).handlers if hasattr(h, "baseFilename")]
    for name in ("", "wsgi")
}
print(json.dumps({
    "zope_conf": conf,
    "instance_home": root.instancehome,
    "client_home": root.clienthome,
    "pid_file": root.pid_filename,
    "debug_mode": root.debug_mode,
    "databases": [
        [
            database.config.getSectionName(),
            database.getVirtualMountPaths(),
            database.config.storage.config.path,
            database.config.storage.config.blob_dir,
            database.config.pool_size,
            database.config.cache_size,
            database.config.cache_size_bytes,
        ]
        for database in root.databases
    ],
    "access_log": files["wsgi"],
    "event_log": files[""],
    "threads": server.threads,
    "urls": ["http://%s:%d" % address for _, _, _, address in server.listen],
}))
"""


def read_lines(tmp_path: Path, *lines: str, **environ: str) -> ZopeConf:
    path = tmp_path / "zope.conf"
    path.write_text("\n".join(("instancehome /srv/zope", *lines)))
    return read_zope_conf(path, environ)


def read_database(tmp_path: Path, *lines: str, **environ: str) -> tuple[Database, tuple[str, ...]]:
    conf = read_lines(tmp_path, "<zodb_db main>", "mount-point /", *lines, "</zodb_db>", **environ)
    return conf.databases[0], conf.problems


FILESTORAGE = Database("main", "filestorage")
ZEO = Database("main", "zeo", zeo_storage="1")


@pytest.mark.parametrize(
    ("name", "home", "databases"),
    [
        ("zope6", "/srv/intranet", [{"data_fs": "/srv/intranet/var/Data.fs"}]),
        (
            "zope5",
            "/srv/news",
            [
                {
                    "data_fs": "/srv/news/var/Data.fs",
                    "blob_dir": "/srv/news/var/blobs",
                    "pool_size": 12,
                    "cache_objects": 20000,
                    "cache_bytes": 300 * 1024**2,
                },
                {"name": "temporary", "kind": "temporary", "mount_points": ("/temp_folder",)},
                {
                    "name": "archive",
                    "mount_points": ("/archive", "/minutes"),
                    "data_fs": "/srv/news/var/Archive.fs",
                    "blob_dir": "/srv/news/var/archive-blobs",
                },
            ],
        ),
        (
            "zope2",
            "/srv/archive",
            [
                {"data_fs": "/srv/archive/var/Data.fs"},
                {"name": "temporary", "kind": "temporary", "mount_points": ("/temp_folder",)},
            ],
        ),
        (
            "plone_filestorage",
            "/srv/plone/parts/instance",
            [
                {
                    "data_fs": "/srv/plone/var/filestorage/Data.fs",
                    "blob_dir": "/srv/plone/var/blobstorage",
                    "cache_objects": 30000,
                }
            ],
        ),
        (
            "plone_zeo",
            "/srv/plone/parts/client1",
            [
                {
                    "kind": "zeo",
                    "zeo_servers": ("127.0.0.1:8100", "zeo2.example.com:8100"),
                    "zeo_storage": "1",
                    "blob_dir": "/srv/plone/var/blobstorage",
                    "cache_objects": 30000,
                    "cache_bytes": 1024**3,
                },
                {
                    "name": "catalog",
                    "kind": "zeo",
                    "mount_points": ("/Plone/portal_catalog",),
                    "zeo_servers": ("/srv/plone/var/zeo.sock",),
                    "zeo_storage": "catalog",
                },
                {
                    "name": "audit",
                    "kind": "zeo",
                    "mount_points": ("/audit",),
                    "zeo_servers": ("127.0.0.1:8200",),
                    "zeo_storage": "1",
                    "zeo_tls": TlsFiles(certificate=Path("/srv/plone/etc/client.pem")),
                },
            ],
        ),
        (
            "plone_relstorage",
            "/srv/plone/parts/instance",
            [
                {
                    "kind": "relstorage",
                    "blob_dir": "/srv/plone/var/blobcache",
                    "sql_database": "db.example.com:5432/plone",
                    "cache_objects": 30000,
                },
                {
                    "name": "demo",
                    "mount_points": ("/demo",),
                    "data_fs": "/srv/plone/var/changes.fs",
                    "over_base": True,
                },
                {"name": "scratch", "kind": "temporary", "mount_points": ("/scratch",)},
                {
                    "name": "before",
                    "mount_points": ("/before",),
                    "data_fs": "/srv/plone/var/before.fs",
                },
                {
                    "name": "berkeley",
                    "kind": "other",
                    "mount_points": ("/berkeley",),
                    "section": "fullstorage",
                },
            ],
        ),
        (
            "plone_zserver",
            "/srv/plone4/parts/instance",
            [
                {
                    "kind": "zeo",
                    "zeo_servers": ("127.0.0.1:8100",),
                    "zeo_storage": "1",
                    "cache_objects": 30000,
                }
            ],
        ),
        (
            "cookiecutter",
            "/srv/site/instance",
            [
                {
                    "data_fs": "/srv/site/instance/var/filestorage/Data.fs",
                    "blob_dir": "/srv/site/instance/var/blobs",
                    "pool_size": 5,
                    "cache_objects": 30000,
                    "cache_bytes": 1500 * 1024**2,
                }
            ],
        ),
    ],
)
def test_databases(name: str, home: str, databases: list[dict[str, Any]]) -> None:
    conf = read_zope_conf(FILES / name / "zope.conf", {"ZEO_TMP": "/tmp", "DB_SUFFIX": "x"})

    assert conf.instance_home == Path(home)
    assert conf.databases == tuple(expected(fields) for fields in databases)
    assert conf.problems == ()


def expected(fields: dict[str, Any]) -> Database:
    named: dict[str, Any] = {"name": "main", "kind": "filestorage", **fields}
    named.update({key: Path(named[key]) for key in ("data_fs", "blob_dir") if key in named})
    return Database(**named)


def test_a_container_takes_its_settings_from_the_environment_of_the_process() -> None:
    path = FILES / "plone_backend" / "zope.conf"
    conf = read_zope_conf(
        path,
        {
            "CLIENT_HOME": "/data/host/1",
            "DEBUG_MODE": "on",
            "SECURITY_POLICY_IMPLEMENTATION": "C",
            "VERBOSE_SECURITY": "off",
            "DEFAULT_ZPUBLISHER_ENCODING": "utf-8",
            "ZODB_CACHE_SIZE": "50000",
            "ZEO_ADDRESS": "zeo:8100",
            "ZEO_STORAGE": "main",
            "ZEO_READ_ONLY": "off",
            "ZEO_CLIENT_READ_ONLY_FALLBACK": "off",
            "ZEO_SHARED_BLOB_DIR": "off",
            "ZEO_CLIENT_CACHE_SIZE": "128MB",
        },
    )

    assert conf.client_home == Path("/data/host/1")
    assert conf.debug_mode
    assert conf.databases == (
        Database(
            "main",
            "zeo",
            blob_dir=Path("/app/var/blobstorage"),
            zeo_servers=("zeo:8100",),
            zeo_storage="main",
            cache_objects=50000,
        ),
    )
    assert conf.problems == ()


def test_without_its_environment_a_container_keeps_what_is_known() -> None:
    path = FILES / "plone_backend" / "zope.conf"
    conf = read_zope_conf(path)

    assert conf.instance_home == Path("/app")
    assert conf.client_home == Path("/$(CLIENT_HOME)")
    assert conf.databases == (Database("main", "zeo", blob_dir=Path("/app/var/blobstorage")),)
    assert conf.problems == (
        f"{path}: not seen in the environment of its process: CLIENT_HOME, DEBUG_MODE, "
        "DEFAULT_ZPUBLISHER_ENCODING, SECURITY_POLICY_IMPLEMENTATION, VERBOSE_SECURITY, "
        "ZEO_ADDRESS, ZEO_CLIENT_CACHE_SIZE, ZEO_CLIENT_READ_ONLY_FALLBACK, ZEO_READ_ONLY, "
        "ZEO_SHARED_BLOB_DIR, ZEO_STORAGE, ZODB_CACHE_SIZE; "
        "set it where the process is started, or let the exporter's user see it",
    )


def test_zserver_says_in_zope_conf_what_wsgi_says_in_the_ini_file() -> None:
    conf = read_zope_conf(FILES / "zope2" / "zope.conf", zope2=True)

    assert conf.http_addresses == ("127.0.0.1:9080", "127.0.0.1:9081")
    assert conf.threads == 3
    assert conf.pid_file == Path("/srv/archive/var/Z2.pid")
    assert conf.access_log == Path("/srv/archive/log/Z2.log")
    assert conf.access_log_format == "%(message)s"
    assert conf.event_log == Path("/srv/archive/log/event.log")


def test_zserver_as_plone_sets_it_up() -> None:
    conf = read_zope_conf(FILES / "plone_zserver" / "zope.conf", zope2=True)

    assert conf.http_addresses == ("10.0.0.5:8080",)
    assert conf.client_home == Path("/srv/plone4/var/instance")
    assert conf.pid_file == Path("/srv/plone4/var/instance.pid")
    assert conf.event_log == Path("/srv/plone4/var/log/instance.log")


def test_places_that_are_not_given_are_zopes_own(tmp_path: Path) -> None:
    conf = read_lines(tmp_path, "<zodb_db main>", "mount-point /", "</zodb_db>")

    assert conf.client_home == Path("/srv/zope/var")
    assert conf.pid_file == Path("/srv/zope/var/Z4.pid")
    assert conf.threads is None
    assert conf.http_addresses == ()
    assert (conf.access_log, conf.event_log) == (None, None)
    assert not conf.debug_mode


def test_the_agent_makes_its_socket_in_the_client_home_unless_told_otherwise(
    tmp_path: Path,
) -> None:
    config = "<product-config zope-exporter>", "socket-mode 0660", "</product-config>"
    assert read_lines(tmp_path, *config).agent_home == Path("/srv/zope/var")
    config = "<product-config zope-exporter>", "Socket-Directory $RUN", "</product-config>"
    assert read_lines(tmp_path, "%define RUN /run/zope", *config).agent_home == Path("/run/zope")


def test_all_files_are_told_for_change_detection() -> None:
    conf = read_zope_conf(FILES / "zope5" / "zope.conf")

    assert conf.files == (
        FILES / "zope5" / "zope.conf",
        FILES / "zope5" / "extra" / "product.conf",
    )


@pytest.mark.parametrize("file", sorted(FILES.glob("*/z*.conf")), ids=lambda file: file.parent.name)
def test_no_password_gets_out(file: Path) -> None:
    conf = read_zope_conf(file)

    assert "tops3cret" not in repr(conf)
    assert "tops3cret" not in repr(dataclasses.asdict(conf))


@pytest.mark.parametrize(
    "password", ["a$tops3cret", "a${tops3cret}", "a$$tops3cret", "a$ tops3cret"]
)
def test_half_a_password_after_a_dollar_sign_does_not_get_out_either(
    tmp_path: Path, password: str
) -> None:
    conf = read_lines(
        tmp_path,
        "<zodb_db main>",
        "<zeoclient>",
        f"password {password}",
        "</zeoclient>",
        "</zodb_db>",
    )

    assert "tops3cret" not in repr(conf)


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["pool-size many"], "pool-size in <zodb_db main> cannot be understood; correct it"),
        (["cache-size 1e3"], "cache-size in <zodb_db main> cannot be understood; correct it"),
        (["cache-size-bytes 5XB"], "cache-size-bytes in <zodb_db main> cannot be understood"),
        (["pool-size " + "9" * 5000], "pool-size in <zodb_db main> cannot be understood"),
        (["mount-point Plone"], "mount-point in <zodb_db main> must begin with a slash"),
    ],
)
def test_a_value_that_makes_no_sense_is_a_problem_and_the_default(
    tmp_path: Path, lines: list[str], problem: str
) -> None:
    database, problems = read_database(tmp_path, *lines, "<filestorage/>")

    assert database == FILESTORAGE
    assert [found for found in problems if problem in found] == list(problems)
    assert problems[0].startswith(f"{tmp_path / 'zope.conf'}, line 4: ")


@pytest.mark.parametrize("address", ["a host", "localhost", "host:port", "1:99999", "::1"])
def test_a_zeo_server_that_is_no_address(tmp_path: Path, address: str) -> None:
    database, problems = read_database(tmp_path, f"<zeoclient>\nserver {address}\n</zeoclient>")

    assert database == ZEO
    assert problems == (
        f"{tmp_path / 'zope.conf'}, line 5: server in <zeoclient> is not host:port or a path; "
        "correct it",
    )


def test_paths_in_the_home_directory_of_the_process(tmp_path: Path) -> None:
    database, problems = read_database(
        tmp_path, "<filestorage>\npath ~/Data.fs\n</filestorage>", HOME="/home/zope"
    )
    unknown, reported = read_database(tmp_path, "<filestorage>\npath ~/Data.fs\n</filestorage>")

    assert database.data_fs == Path("/home/zope/Data.fs")
    assert problems == ()
    assert unknown.data_fs is None
    assert reported == (
        f"{tmp_path / 'zope.conf'}, line 5: path in <filestorage> is in a home directory; "
        "write it in full",
    )


def test_relative_paths_start_where_the_process_does(tmp_path: Path) -> None:
    path = tmp_path / "etc" / "zope.conf"
    path.parent.mkdir()
    path.write_text("instancehome .\npid-filename Z.pid\n<zodb_db a>\nmount-point /\n</zodb_db>")

    known, guessed = read_zope_conf(path, cwd=Path("/srv/zope")), read_zope_conf(path)

    assert (known.client_home, known.pid_file) == (Path("/srv/zope/var"), Path("/srv/zope/Z.pid"))
    assert known.problems == ()
    assert (guessed.client_home, guessed.pid_file) == (tmp_path / "var", tmp_path / "Z.pid")
    assert guessed.problems == (
        f"{path}, line 1: instancehome is relative to the directory of the process, taken to be "
        f"{tmp_path}; write it in full",
        f"{path}, line 2: pid-filename is relative to the directory of the process, taken to be "
        f"{tmp_path}; write it in full",
    )


def test_a_file_that_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "zope.conf"
    path.write_text("")
    conf = read_zope_conf(path)

    assert conf.instance_home == tmp_path
    assert conf.databases == ()
    assert conf.problems == (
        f"{path}: instancehome is missing, taken to be {tmp_path}; add it",
        f"{path}: mounts no database; add <zodb_db main>",
    )


def test_a_database_without_a_name_or_with_one_twice(tmp_path: Path) -> None:
    section = "<zodb_db{}>\nmount-point /{}\n</zodb_db>"
    conf = read_lines(
        tmp_path, section.format("", ""), section.format(" a", "x"), section.format(" A", "y")
    )

    assert [(database.name, database.mount_points) for database in conf.databases] == [
        ("a", ("/y",))
    ]
    assert conf.problems == (
        f"{tmp_path / 'zope.conf'}: a <zodb_db> has no name; add one, as <zodb_db main>",
        f"{tmp_path / 'zope.conf'}: two <zodb_db a>; rename one",
    )


@pytest.mark.parametrize(
    "extra",
    [
        "",
        "clienthome {home}/clients\npid-filename {home}/run.pid\ndebug-mode true",
        "%define DIR {home}/clients\n<zodb_db second>\n  pool-size 3\n  cache-size 77\n"
        "  cache-size-bytes 20mb\n  mount-point /a:/b\n  mount-point /c\n  <filestorage>\n"
        "    path $DIR/Second.fs\n    blob-dir $DIR/blobs\n  </filestorage>\n</zodb_db>",
        "<environment>\n  Some_Thing $$x\n</environment>\n<product-config x>\n  K v\n"
        "</product-config>",
    ],
)
def test_zope_itself_reads_the_same(tmp_path: Path, extra: str) -> None:
    home = tmp_path / "instance"
    subprocess.run(
        [sys.executable, "-m", "Zope2.utilities.mkwsgiinstance", "-d", home, "-u", "a:b"],
        check=True,
        timeout=60,
    )
    (home / "clients").mkdir()
    conf_file = home / "etc" / "zope.conf"
    skeleton = conf_file.read_text()
    if "<environment>" in extra:
        skeleton = skeleton.replace("<environment>", "<product-config skeleton>").replace(
            "</environment>", "</product-config>"
        )
    conf_file.write_text(skeleton + "\n" + extra.format(home=home))
    zope = subprocess.run(
        [sys.executable, "-c", ZOPE, home / "etc" / "zope.ini"],
        check=True,
        timeout=60,
        capture_output=True,
    )

    ini = read_wsgi_ini(home / "etc" / "zope.ini")
    assert ini.zope_conf is not None
    conf = read_zope_conf(ini.zope_conf)

    assert json.loads(zope.stdout) == {
        "zope_conf": str(ini.zope_conf),
        "instance_home": str(conf.instance_home),
        "client_home": str(conf.client_home),
        "pid_file": str(conf.pid_file),
        "debug_mode": conf.debug_mode,
        "databases": [
            [
                database.name,
                list(database.mount_points),
                str(database.data_fs),
                str(database.blob_dir) if database.blob_dir else None,
                database.pool_size,
                database.cache_objects,
                database.cache_bytes,
            ]
            for database in conf.databases
        ],
        "access_log": [str(ini.access_log)],
        "event_log": [str(ini.event_log)],
        "threads": ini.threads,
        "urls": list(ini.urls),
    }
    assert conf.problems == ini.problems == ()


@pytest.mark.parametrize(
    ("adapter", "lines", "database"),
    [
        ("postgresql", ["dsn host=DB.example.org port=5433 dbname=plone"],
         "db.example.org:5433/plone"),
        ("postgresql", ["dsn postgresql://plone:tops3cret@db.example.org:5433/plone?sslmode=off"],
         "db.example.org:5433/plone"),
        ("postgresql", ["dsn postgresql://plone:tops3cret@db.example.org/plone"],
         "db.example.org:5432/plone"),
        ("postgresql", ["dsn dbname=plone"], ""),
        ("postgresql", ["dsn postgresql://db.example.org:no-port/plone"], ""),
        ("postgresql", ["dsn $RELSTORAGE_DSN"], ""),
        ("mysql", ["host db.example.org", "db plone", "passwd tops3cret"],
         "db.example.org:3306/plone"),
        ("mysql", ["db plone"], ""),
        ("oracle", ["dsn XE"], ""),
    ],
)  # fmt: skip
def test_where_relstorage_keeps_a_database(
    tmp_path: Path, adapter: str, lines: list[str], database: str
) -> None:
    inner = ("<relstorage>", f"<{adapter}>", *lines, f"</{adapter}>", "</relstorage>")
    found, _ = read_database(tmp_path, *inner)
    assert found.sql_database == database
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize("changes", ["", "<mappingstorage changes>\n</mappingstorage>"])
def test_commits_to_a_demostorage_that_do_not_outlast_zope_are_told(
    tmp_path: Path, changes: str
) -> None:
    path = tmp_path / "zope.conf"
    path.write_text(
        f"instancehome {tmp_path}\n<zodb_db main>\n<demostorage>\n<filestorage base>\n"
        f"path /srv/base.fs\n</filestorage>\n{changes}\n</demostorage>\nmount-point /\n</zodb_db>\n"
    )
    found = read_zope_conf(path)
    assert [str(each.data_fs) for each in found.databases] == ["/srv/base.fs"]
    assert not found.databases[0].over_base
    [problem] = found.problems
    assert (
        "zope.conf, line 5: path in <filestorage base> is of the base of a demostorage" in problem
    )
