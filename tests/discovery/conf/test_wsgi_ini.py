import configparser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zope_exporter.discovery.conf.config_file import MAX_BYTES, ConfigFileError
from zope_exporter.discovery.conf.paste import read_paste_ini
from zope_exporter.discovery.conf.wsgi_ini import WsgiIni, read_wsgi_ini

FILES = Path(__file__).parent / "files"
ZOPE = "[app:main]\nuse = egg:Zope#main\nzope_conf = /srv/zope/etc/zope.conf\n"
SERVER = "[server:main]\nuse = egg:waitress#main\n"
LOGS = "[loggers]\nkeys = root\n[logger_root]\nhandlers = file\n[handler_file]\n"


def read_text(tmp_path: Path, text: str, **variables: str) -> WsgiIni:
    path = tmp_path / "zope.ini"
    path.write_text(text)
    return read_wsgi_ini(path, variables)


def read_or_refuse(path: Path) -> WsgiIni | str:
    try:
        return read_wsgi_ini(path)
    except ConfigFileError as error:
        return str(error)


def test_as_zope_6_makes_it() -> None:
    path = FILES / "zope6" / "zope.ini"

    assert read_wsgi_ini(path) == WsgiIni(
        path=path,
        zope_conf=path.with_name("zope.conf"),
        urls=("http://127.0.0.1:8080",),
        unix_sockets=(),
        threads=4,
        access_log=Path("/srv/intranet/var/log/Z4.log"),
        event_log=Path("/srv/intranet/var/log/event.log"),
        access_log_format="%(message)s",
        event_log_format=(
            "%(asctime)s %(levelname)s [%(name)s:%(lineno)s][%(threadName)s] %(message)s"
        ),
        event_log_date_format="%Y-%m-%d %H:%M:%S",
        more_event_logs=(),
        request_format=None,
        pipeline=("egg:Zope#httpexceptions", "translogger", "zope"),
        components=("egg:Zope#httpexceptions", "egg:Paste#translogger", "egg:Zope#main"),
        debug_mode=False,
        debug_exceptions=False,
        files=(path,),
        problems=(),
    )


@pytest.mark.parametrize(
    ("name", "zope_conf", "urls", "threads", "access_log", "event_log", "pipeline"),
    [
        (
            "plone_filestorage/wsgi.ini",
            "/srv/plone/parts/instance/etc/zope.conf",
            ("http://127.0.0.1:8080", "http://127.0.0.1:8081"),
            4,
            "/srv/plone/var/log/instance-access.log",
            "/srv/plone/var/log/instance.log",
            ("translogger", "egg:Zope#httpexceptions", "sentry", "zope"),
        ),
        (
            "cookiecutter/zope.ini",
            FILES / "cookiecutter" / "zope.conf",
            ("http://127.0.0.1:8080",),
            3,
            "/srv/site/instance/var/log/instance-access.log",
            "/srv/site/instance/var/log/instance.log",
            ("translogger", "egg:Zope#httpexceptions", "zope"),
        ),
        (
            "zope5/zope.ini",
            FILES / "zope5" / "zope.conf",
            ("http://127.0.0.1:8091", "http://[::1]:8092"),
            8,
            FILES / "zope5" / "access.log",
            "/srv/news/var/log/event.log",
            ("log", "main"),
        ),
    ],
)
def test_as_others_make_it(
    name: str,
    zope_conf: Path,
    urls: tuple[str, ...],
    threads: int,
    access_log: Path,
    event_log: Path,
    pipeline: tuple[str, ...],
) -> None:
    ini = read_wsgi_ini(FILES / name)

    assert ini.zope_conf == Path(zope_conf)
    assert ini.urls == urls
    assert ini.threads == threads
    assert ini.access_log == Path(access_log)
    assert ini.event_log == Path(event_log)
    assert ini.pipeline == pipeline
    assert ini.problems == ()
    assert "tops3cret" not in repr(ini)


def test_files_and_debug_mode_come_from_all_that_is_used() -> None:
    ini = read_wsgi_ini(FILES / "zope5" / "zope.ini")

    assert ini.files == (FILES / "zope5" / "zope.ini", FILES / "zope5" / "servers.ini")
    assert ini.debug_mode
    assert ini.components == ("egg:Paste#translogger", "egg:Zope#main")


def test_a_container_names_its_zope_conf_on_the_command_line() -> None:
    path = FILES / "plone_backend" / "zope.ini"

    assert read_wsgi_ini(path, {"config_file": "zeo.conf"}).zope_conf == path.with_name("zeo.conf")
    without = read_wsgi_ini(path)
    assert without.zope_conf is None
    assert without.urls == ("http://127.0.0.1:8080",)
    assert (without.access_log, without.event_log) == (None, None)
    assert without.problems == (
        f"{path}: zope_conf in [app:zope] uses %(config_file)s, which is not defined; "
        "add it to [DEFAULT] or the command line",
        f"{path}: no application has a zope_conf; add it to [app:zope]",
    )


@pytest.mark.parametrize(
    ("server", "urls", "unix_sockets", "threads"),
    [
        ("use = egg:waitress#main", ("http://127.0.0.1:8080",), (), 4),
        ("use = egg:waitress#main\nport = 8081\nthreads=%(n)s", ("http://127.0.0.1:8081",), (), 9),
        ("use = egg:waitress#main\nhost = ::\nport = 1", ("http://[::1]:1",), (), 4),
        ("use = egg:waitress#main\nlisten = *:1 [::]:2\n 10.0.0.5:3 [fe80::1]", (
            "http://127.0.0.1:1", "http://[::1]:2", "http://10.0.0.5:3", "http://[fe80::1]:8080",
        ), (), 4),
        ("use = egg:waitress#main\nunix_socket = /run/zope.sock", (), ("/run/zope.sock",), 4),
        ("use = egg:gunicorn#main\nbind = unix:/run/g.sock,127.0.0.1:9", (
            "http://127.0.0.1:9",
        ), ("/run/g.sock",), None),
        ("use = egg:Paste#http\nhost = zope.example.com\nport = 80", (
            "http://zope.example.com:80",
        ), (), None),
    ],
)  # fmt: skip
def test_servers(
    tmp_path: Path,
    server: str,
    urls: tuple[str, ...],
    unix_sockets: tuple[str, ...],
    threads: int | None,
) -> None:
    ini = read_text(tmp_path, f"{ZOPE}[server:main]\n{server}\n", n="9")

    assert ini.urls == urls
    assert ini.unix_sockets == tuple(map(Path, unix_sockets))
    assert ini.threads == threads
    assert ini.problems == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (ZOPE, "no section for server main; add one"),
        (ZOPE + SERVER + "listen = a:b", "[server:main]: a listener is not host:port; correct it"),
        (ZOPE + SERVER + "port = 70000", "[server:main]: a listener is not host:port; correct it"),
        (ZOPE + SERVER + "threads = x", "[server:main]: threads is not a whole number; correct it"),
        (ZOPE + "[server:main]\nuse = egg:X", "[server:main]: no listener; add host and port"),
        (SERVER, "no application has a zope_conf; add it to [app:zope]"),
        (SERVER + "[pipeline:main]\npipeline = a b", "no section for filter a; add one"),
        (SERVER + ZOPE + "filter-with = x", "no section for filter x; add one"),
        (
            SERVER + "[app:main]\nzope_conf = etc/zope.conf",
            "zope_conf is relative to the directory of the process, taken to be",
        ),
        (
            SERVER + ZOPE + LOGS + "class = FileHandler\nargs = (os.environ['LOG'],)",
            "args in [handler_file] have no plain file name; name the log in the configuration",
        ),
        (
            SERVER + ZOPE + LOGS + "class = FileHandler\nargs = (" + "-" * 3000 + "1,)",
            "args in [handler_file] have no plain file name; name the log in the configuration",
        ),
        (
            SERVER + ZOPE + LOGS + "class = FileHandler\nargs = ('/srv/\\x00',)",
            "args in [handler_file] have no plain file name; name the log in the configuration",
        ),
        (
            SERVER + "[app:main]\nzope_conf = %(x)s\nx = %(y)s%(y)s\ny = %(x)s",
            "zope_conf in [app:main] expands without end; shorten it",
        ),
    ],
)
def test_problems(tmp_path: Path, text: str, problem: str) -> None:
    problems = read_text(tmp_path, text).problems

    assert any(problem in found for found in problems), problems
    assert all(found.startswith(f"{tmp_path / 'zope.ini'}: ") for found in problems)


@pytest.mark.parametrize(
    ("handler", "log"),
    [
        ("class = FileHandler\nargs = ('/a.log', 'a', 10 * 1024)", "/a.log"),
        ("class = handlers.TimedRotatingFileHandler\nargs = (r'/a.log', 'D', 1, 3)", "/a.log"),
        ("class = cloghandler.ConcurrentRotatingFileHandler\nkwargs = {'filename': '/b'}", "/b"),
        ("class = FileHandler\nargs = (\n  r'%(here)s/c.log',\n  'a',\n  )", "here/c.log"),
        ("class = FileHandler\nargs = ('relative.log',)", "/cwd/relative.log"),
        ("class = FileHandler\nargs = ('/dev/stdout',)", None),
        ("class = StreamHandler\nargs = (sys.stderr,)", None),
        ("class = handlers.SysLogHandler\nargs = ('/dev/log',)", None),
        ("class = NullHandler\nargs = ()", None),
    ],
)
def test_log_handlers(tmp_path: Path, handler: str, log: str | None) -> None:
    path = tmp_path / "zope.ini"
    path.write_text(f"{ZOPE}{SERVER}{LOGS}{handler}\nformatter = f\n[formatter_f]\nformat=%(name)s")
    ini = read_wsgi_ini(path, cwd=Path("/cwd"))

    assert ini.event_log == (None if log is None else Path(log.replace("here", str(tmp_path))))
    assert ini.event_log_format == (None if log is None else "%(name)s")
    assert ini.access_log is None
    assert ini.problems == ()


@pytest.mark.parametrize(
    ("sections", "pipeline"),
    [
        ("[app:main]\nuse = zope\n[app:zope]\n", ("main",)),
        ("[filter-app:main]\nuse = egg:F\nnext = zope\n[app:zope]\n", ("main", "zope")),
        ("[pipeline:main]\npipeline = egg:F zope\n[app: zope]\n", ("egg:F", "zope")),
        ("[composite:main]\nuse = egg:Paste#urlmap\n/ = zope\n[app:zope]\n", ("main",)),
        ("[application:main]\n", ("main",)),
    ],
)
def test_zope_is_found_where_paste_finds_it(
    tmp_path: Path, sections: str, pipeline: tuple[str, ...]
) -> None:
    ini = read_text(tmp_path, f"{SERVER}{sections}set debug_mode = on\nzope_conf = %(here)s/z.conf")

    assert ini.zope_conf == tmp_path / "z.conf"
    assert ini.pipeline == pipeline
    assert ini.debug_mode
    assert ini.problems == ()


def test_debug_mode_on_the_command_line(tmp_path: Path) -> None:
    ini = read_text(tmp_path, ZOPE + SERVER, debug_mode="true", debug_exceptions="1")

    assert ini.debug_mode
    assert ini.debug_exceptions


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tops3cret = 1", "line 1: no [section] or name = value; correct it"),
        ("[a]\n# x\ntops3cret", "line 3: no [section] or name = value; correct it"),
        ("[a]\n= tops3cret", "line 2: no [section] or name = value; correct it"),
        ("[app:main]\nuse = main", "[app:main] uses itself; correct its use"),
        ("[app:main]\nuse = config:zope.ini", "[app:main] uses itself; correct its use"),
        ("[app:main]\nuse = config:none.ini", "none.ini: No such file or directory"),
        ("[a]\nx = " + "y" * MAX_BYTES, "larger than"),
    ],
)
def test_errors_name_the_place_and_quote_nothing(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ConfigFileError) as caught:
        read_text(tmp_path, text)

    assert str(caught.value).startswith(f"{tmp_path}/")
    assert reason in str(caught.value)
    assert "tops3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "[a]\n" + "x\n" * (MAX_BYTES // 2 - 10),
        "[a]\nx" + " " * (MAX_BYTES - 10),
        "[a]\nx = " + "%(" * (MAX_BYTES // 2 - 10),
        "[pipeline:main]\npipeline = " + "f " * 1_000_000 + "\n[filter:f]\nuse = egg:F\n",
        "".join(f"[app:a{n}]\nuse = egg:F\n" for n in range(100_000)),
        "[app:main]\nzope_conf = %(a0)s\n"
        + "".join(f"a{n} = " + f"%(a{n + 1})s" * 100 + "\n" for n in range(20)),
    ],
    ids=["bad-lines", "blanks", "references", "pipeline", "sections", "expansions"],
)
def test_hostile_files_end(tmp_path: Path, text: str) -> None:
    path = tmp_path / "zope.ini"
    path.write_text(text)
    found = read_or_refuse(path)

    problems = [found] if isinstance(found, str) else found.problems
    assert problems
    assert all(str(tmp_path) in problem for problem in problems)


INI_LINES = [
    "[a]",
    "[b: c]",
    "[DEFAULT]",
    "k = v",
    "  continued = x",
    "\tdeeper",
    "K:%(k)s %%",
    "",
    "  ",
    "# comment",
    "  ; comment",
    "[half",
    "k",
    "= v",
    "k = [x]",
    "  [d]",
]


@given(st.lists(st.sampled_from(INI_LINES), max_size=25).map("\n".join))
def test_the_syntax_is_that_of_configparser(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "syntax.ini"
    path.write_text(text)
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[method-assign, assignment]
    try:
        parser.read_string(text)
    except configparser.Error:
        with pytest.raises(ConfigFileError):
            read_paste_ini(path, {}, [])
        return
    ini = read_paste_ini(path, {}, [])

    theirs = {name.replace(": ", ":"): parser[name] for name in parser.sections()}
    assert ini.defaults == parser.defaults()
    assert {name for name in ini.sections if name != "DEFAULT"} == set(theirs)
    for name, options in theirs.items():
        assert {**ini.defaults, **ini.sections[name]} == dict(options)


PASTE_LINES = [
    "[app:main]",
    "[pipeline:main]",
    "[server:main]",
    "[filter:f]",
    "[loggers]",
    "[logger_root]",
    "[handler_h]",
    "[DEFAULT]",
    "use = main",
    "use = f",
    "use = egg:waitress#main",
    "use = config:any.ini#f",
    "use = config:",
    "pipeline = f f main",
    "pipeline =",
    "filter-with = f",
    "listen = [::1 :: a: :1 *:2",
    "threads = 1e3",
    "zope_conf = %(here)s/%(x)s",
    "x = %(x)s %",
    "keys = root",
    "handlers = h",
    "class = FileHandler",
    "args = ('\\x00',)",
    "args = {**x}",
]


@settings(deadline=None)
@given(
    st.binary(max_size=300)
    | st.lists(st.sampled_from(PASTE_LINES), max_size=30).map(lambda x: "\n".join(x).encode())
)
def test_any_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    directory = tmp_path_factory.getbasetemp() / "any-ini"
    directory.mkdir(exist_ok=True)
    (directory / "any.ini").write_bytes(data)
    found = read_or_refuse(directory / "any.ini")

    problems = [found] if isinstance(found, str) else found.problems
    assert all(str(directory) in problem for problem in problems)
