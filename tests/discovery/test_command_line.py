import pytest
from hypothesis import given
from hypothesis import strategies as st

from zope_exporter.discovery.command_line import CommandLine, CommandLineError, parse

PYTHON = "/srv/venv/bin/python3"
EGG = "/eggs/Zope-5.14.2-py3.11.egg"
INTERPRETER = "/srv/plone/parts/instance/bin/interpreter"
WSGI_INI = "/srv/plone/parts/instance/etc/wsgi.ini"
ZOPE_CONF = "/srv/plone/parts/instance/etc/zope.conf"
ZEO_CONF = "/srv/plone/parts/zeoserver/etc/zeo.conf"


def wsgi(ini: str, debug: bool = False, **variables: str) -> CommandLine:
    return CommandLine("zope", "", ini, tuple(variables.items()), debug)


def any_of(ini: str) -> CommandLine:
    """A server that runs any application, and Zope if the ini file says so."""
    return CommandLine("zope", "", ini, of_any_application=True)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([PYTHON, "/srv/venv/bin/runwsgi", "etc/zope.ini"], wsgi("etc/zope.ini")),
        ([PYTHON, "bin/runwsgi", WSGI_INI], wsgi(WSGI_INI)),
        (["python2.7", "-u", "/x/runwsgi", "a.ini"], wsgi("a.ini")),
        (["python3.13t", "-Wd", "-X", "dev", "-bb", "/x/runwsgi", "a.ini"], wsgi("a.ini")),
        (["python3.11-dbg", "--check-hash-based-pycs", "never", "runwsgi", "a"], wsgi("a")),
        (["runwsgi", "a.ini"], wsgi("a.ini")),
        ([PYTHON, "-m", "Zope2.Startup.serve", "a.ini"], wsgi("a.ini")),
        ([PYTHON, "-umZope2.Startup.serve", "a.ini"], wsgi("a.ini")),
        ([PYTHON, "runwsgi", "-v", "etc/zope.ini", "config_file=zope.conf"],
         wsgi("etc/zope.ini", config_file="zope.conf")),
        ([PYTHON, "runwsgi", "-n", "main", "--server-name", "x", "config:a.ini#main", "port=80"],
         CommandLine("zope", "", "a.ini", (("port", "80"), ("#server", "x")))),
        ([PYTHON, "runwsgi", "-n", "other", "--server-name", "alt", "a.ini"],
         CommandLine("zope", "", "a.ini", (("#app", "other"), ("#server", "alt")))),
        ([PYTHON, "runwsgi", "a.ini#other"],
         CommandLine("zope", "", "a.ini", (("#app", "other"), ("#server", "other")))),
        ([PYTHON, "/nix/store/x-zope/bin/.runwsgi-wrapped", "a.ini"], wsgi("a.ini")),
        ([PYTHON, "/srv/bin/runwsgi.py", "a.ini"], wsgi("a.ini")),
        ([PYTHON, "-m", "debugpy", "--listen", "5678", "/x/runwsgi", "a.ini"], wsgi("a.ini")),
        ([PYTHON, "-m", "pdb", "/x/runwsgi", "a.ini"], wsgi("a.ini")),
        ([PYTHON, "-m", "coverage", "run", "--rcfile", "x", "-p", "/x/runwsgi", "a"], wsgi("a")),
        ([PYTHON, "/x/bin/coverage", "run", "-m", "Zope2.Startup.serve", "a"], wsgi("a")),
        (["/x/bin/pypy3-c", "/x/runwsgi", "a.ini"], wsgi("a.ini")),
        (["/x/bin/graalpy", "/x/runwsgi", "a.ini"], wsgi("a.ini")),
        (["/x/bin/zope-python3", "/x/runwsgi", "a.ini"], wsgi("a.ini")),
        (["/lib64/ld-linux-x86-64.so.2", "--library-path", "/x/lib", PYTHON, "/x/runwsgi", "a.ini"],
         wsgi("a.ini")),
        (["gunicorn", "--paste", "/x/zope.ini", "-b", "127.0.0.1:8080"], any_of("/x/zope.ini")),
        ([PYTHON, "/x/bin/gunicorn", "-w", "1", "--paster=zope.ini#main"], any_of("zope.ini")),
        ([PYTHON, "/x/bin/pserve", "zope.ini"], any_of("zope.ini")),
        (["/usr/bin/python2.7", "/x/bin/paster", "serve", "zope.ini"], any_of("zope.ini")),
        (["uwsgi", "--master", "--ini-paste", "zope.ini"], any_of("zope.ini")),
        ([PYTHON, "runwsgi", "a.ini", "-d"], wsgi("a.ini", debug=True)),
        ([PYTHON, "runwsgi", "-vd", "a.ini", "debug_mode=off"], wsgi("a.ini", debug_mode="off")),
        ([PYTHON, "runwsgi", "a.ini", "debug_mode=true"],
         wsgi("a.ini", debug=True, debug_mode="true")),
        ([PYTHON, INTERPRETER, f"{EGG}/Zope2/Startup/serve.py", WSGI_INI], wsgi(WSGI_INI)),
        ([PYTHON, INTERPRETER, f"{EGG}/Zope2/Startup/serve.py", WSGI_INI, "-d", "debug-mode=on"],
         CommandLine("zope", "", WSGI_INI, (("debug-mode", "on"),), True)),
        ([PYTHON, INTERPRETER, f"{EGG}/Zope2/Startup/run.py", "-C", ZOPE_CONF],
         CommandLine("zope", ZOPE_CONF)),
        ([PYTHON, f"{EGG}/Zope2/Startup/run.py", "-C", ZOPE_CONF, "-X", "debug-mode=on"],
         CommandLine("zope", ZOPE_CONF, debug=True)),
        ([PYTHON, "bin/runzope", f"--configure={ZOPE_CONF}"], CommandLine("zope", ZOPE_CONF)),
        ([PYTHON, "bin/runzope", f"-C{ZOPE_CONF}"], CommandLine("zope", ZOPE_CONF)),
        ([PYTHON, "/srv/venv/bin/runzeo", "-C", "zeo.conf"], CommandLine("zeo", "zeo.conf")),
        ([PYTHON, "-m", "ZEO.runzeo", "-C", ZEO_CONF], CommandLine("zeo", ZEO_CONF)),
        ([PYTHON, "/eggs/ZODB3-3.10.7.egg/ZEO/runzeo.py", "-C", ZEO_CONF, "-a", "8100"],
         CommandLine("zeo", ZEO_CONF, variables=(("address", "8100"),))),
        ([PYTHON, "bin/runzeo", "-a", "localhost:8100", "-f", "var/Data.fs", "-m", "8101"],
         CommandLine("zeo", variables=(
             ("address", "localhost:8100"), ("filename", "var/Data.fs"), ("monitor", "8101")))),
    ],
)  # fmt: skip
def test_a_server_is_recognised_with_its_options(argv: list[str], expected: CommandLine) -> None:
    assert parse(argv) == expected


@pytest.mark.parametrize(
    "argv",
    [
        [],
        [""],
        ["vim", "runwsgi.py"],
        ["vim", "/srv/venv/bin/runwsgi"],
        ["grep", "runwsgi"],
        ["grep", "-r", "runzeo", "-C", "3"],
        ["tail", "-f", "/srv/zope/etc/zope.ini"],
        ["/bin/sh", "-c", "runwsgi zope.ini"],
        ["bash", "/srv/bin/runwsgi", "zope.ini"],
        ["sudo", "-u", "zope", "runwsgi", "zope.ini"],
        ["strace", "-f", "runwsgi", "zope.ini"],
        ["runwsgi: worker [zope.ini]"],
        ["runwsgi:", "worker"],
        [PYTHON],
        [PYTHON, "-"],
        [PYTHON, "-", "runwsgi", "zope.ini"],
        [PYTHON, "-c", "runwsgi", "zope.ini"],
        [PYTHON, "-uc", "import runwsgi"],
        [PYTHON, "-m"],
        [PYTHON, "-W"],
        [PYTHON, "-m", "pylint", f"{EGG}/Zope2/Startup/serve.py"],
        [PYTHON, "/usr/bin/pylint", f"{EGG}/Zope2/Startup/serve.py"],
        [PYTHON, "-m", "pip", "install", "runwsgi"],
        [PYTHON, "/home/me/serve.py", "zope.ini"],
        [PYTHON, "/home/me/run.py", "-C", "zope.conf"],
        [PYTHON, "/srv/venv/bin/zconsole", "run", "zope.conf", "script.py"],
        [PYTHON, "/srv/plone/bin/instance", "fg"],
        [PYTHON, "/srv/plone/bin/instance", "run", "script.py"],
        [PYTHON, INTERPRETER, "-c", "from Zope2.Startup.run import configure_wsgi; ..."],
        [PYTHON, INTERPRETER, "/eggs/zdaemon-5.1.egg/zdaemon/zdrun.py", "-S", "/x/wsgischema.xml",
         "-s", "/srv/plone/var/instance/zopectlsock", INTERPRETER,
         f"{EGG}/Zope2/Startup/serve.py", WSGI_INI],
        [PYTHON, "/srv/plone/bin/zeoserver", "-S", "/eggs/ZEO-6.egg/ZEO/zeoctl.xml",
         "-C", ZEO_CONF, PYTHON, "-m", "ZEO.runzeo", "-C", ZEO_CONF],
        [PYTHON, "/srv/venv/bin/zope-exporter", "serve", "--config.file", "runwsgi"],
        [PYTHON, "-m", "coverage", "report", "runwsgi"],
        [PYTHON, "-m", "coverage"],
        [PYTHON, "/srv/venv/bin/pserve"],
        ["gunicorn", "-b", "127.0.0.1:8080", "shop:application"],
        ["gunicorn", "--paste"],
        ["gunicorn"],
        ["uwsgi"],
        ["gunicorn: master [zope.ini]"],
        ["uwsgi", "--ini", "/srv/uwsgi.ini"],
    ],
)  # fmt: skip
def test_what_merely_mentions_a_server_is_none(argv: list[str]) -> None:
    assert parse(argv) is None


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        ([PYTHON, "runwsgi"], "without a WSGI configuration file"),
        ([PYTHON, "runwsgi", "egg:Zope#main"], "without a WSGI configuration file"),
        ([PYTHON, "runwsgi", "--nonsense", "a.ini"], "--nonsense"),
        ([PYTHON, "bin/runzope"], "without a configuration file"),
        ([PYTHON, "bin/runzeo", "-a", "8100"], "without a configuration file"),
        ([PYTHON, "bin/runzeo", "-C"], "-C"),
    ],
)
def test_a_server_without_a_known_configuration_is_an_error(argv: list[str], reason: str) -> None:
    with pytest.raises(CommandLineError, match=reason):
        parse(argv)


WORDS = [
    "python", "interpreter", "runwsgi", "runzeo", "ZEO.runzeo", "-m", "-c", "-W", "-", "--", "-C",
    "-X", "-d", "a=b", "zope.ini", "",
]  # fmt: skip


@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=5), max_size=8))
def test_no_command_line_raises_anything_else(argv: list[str]) -> None:
    try:
        found = parse(argv)
    except CommandLineError:
        return
    assert found is None or found.config or found.wsgi_ini or dict(found.variables)["filename"]
