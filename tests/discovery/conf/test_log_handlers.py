"""Which files are followed is judged by where Python's logging really puts records."""

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from zope_exporter.discovery.conf.log_handlers import LogFile, LogFiles, log_files
from zope_exporter.discovery.conf.paste import read_paste_ini

FULL = "%(asctime)s %(levelname)s [%(name)s] %(message)s"
FORMATTERS = f"""
[formatter_full]
format = {FULL}
[formatter_json]
class = pythonjsonlogger.jsonlogger.JsonFormatter
format = %(asctime)s %(message)s
"""


class Handler(NamedTuple):
    name: str
    level: str = "NOTSET"
    target: str = ""
    formatter: str = "full"


class Logger(NamedTuple):
    name: str
    handlers: str
    propagate: int = 1


def ini(handlers: list[Handler], loggers: list[Logger], directory: str = "/log") -> str:
    keys = [logger.name.replace(".", "_") for logger in loggers]
    parts = [
        f"[loggers]\nkeys = {', '.join(keys)}",
        f"[handlers]\nkeys = {', '.join(handler.name for handler in handlers)}",
        "[formatters]\nkeys = full",
    ]
    for handler in handlers:
        where = f"class = FileHandler\nargs = ('{directory}/{handler.name}', 'a')"
        if handler.target:
            where = (
                f"class = logging.handlers.MemoryHandler\nargs = (2,)\ntarget = {handler.target}"
            )
        elif handler.name.startswith("console"):
            where = "class = StreamHandler\nargs = (sys.stderr,)"
        parts.append(f"[handler_{handler.name}]\n{where}\nlevel = {handler.level}")
        parts.append(f"formatter = {handler.formatter}")
    for key, logger in zip(keys, loggers, strict=True):
        parts.append(f"[logger_{key}]\nlevel = DEBUG\nhandlers = {logger.handlers}")
        parts.append(f"qualname = {logger.name}\npropagate = {logger.propagate}")
    return "\n".join(parts) + FORMATTERS


def found(path: Path, text: str, passes_on: bool = True) -> LogFiles:
    path.write_text(text)
    return log_files(read_paste_ini(path, {}, []), "wsgi", passes_on)


CONSOLE = Handler("console")
ROOT = Logger("root", "event")


@pytest.mark.parametrize(
    ("handlers", "loggers", "access", "event"),
    [
        pytest.param(
            [CONSOLE, Handler("event"), Handler("access", "INFO")],
            [
                Logger("root", "console, event"),
                Logger("wsgi", "console, event, access", 0),
                Logger("plone", ""),
                Logger("waitress.queue", ""),
            ],
            "access",
            ["event"],
            id="cookiecutter with files",
        ),
        pytest.param(
            [CONSOLE],
            [Logger("root", "console"), Logger("wsgi", "console", 0)],
            None,
            [],
            id="cookiecutter without",
        ),
        pytest.param(
            [Handler("all")],
            [Logger("root", "all"), Logger("wsgi", "all", 0)],
            "all",
            ["all"],
            id="one file for both",
        ),
        pytest.param(
            [Handler("all")], [Logger("root", "all")], "all", ["all"], id="wsgi propagates"
        ),
        pytest.param(
            [CONSOLE, Handler("access"), Handler("event")],
            [
                Logger("root", "console"),
                Logger("waitress", "event"),
                Logger("wsgi", "access", 0),
            ],
            "access",
            ["event"],
            id="waitress alone",
        ),
        pytest.param(
            [Handler("errors", "ERROR"), Handler("event")],
            [Logger("root", "errors, event"), Logger("wsgi", "", 0)],
            None,
            ["event"],
            id="two files at root",
        ),
        pytest.param(
            [Handler("event", "WARN"), Handler("more", "INFO")],
            [ROOT, Logger("plone", "more"), Logger("wsgi", "", 0)],
            None,
            ["event", "more"],
            id="a lower level of one logger",
        ),
        pytest.param(
            [Handler("event"), Handler("more")],
            [ROOT, Logger("plone", "more"), Logger("wsgi", "", 0)],
            None,
            ["event"],
            id="a copy of one logger's records",
        ),
        pytest.param(
            [Handler("event"), Handler("more")],
            [ROOT, Logger("plone", "more", 0), Logger("wsgi", "", 0)],
            None,
            ["event", "more"],
            id="a logger that keeps its records",
        ),
        pytest.param(
            [Handler("event", "ERROR"), Handler("memory", target="event")],
            [Logger("root", "memory"), Logger("wsgi", "", 0)],
            None,
            ["event"],
            id="in memory first",
        ),
        pytest.param(
            [Handler("slow", "ERROR"), Handler("event"), Handler("access")],
            [ROOT, Logger("wsgi", "slow, access", 0)],
            "access",
            ["event"],
            id="two access logs",
        ),
    ],
)
def test_the_files_to_follow(
    tmp_path: Path,
    handlers: list[Handler],
    loggers: list[Logger],
    access: str | None,
    event: list[str],
) -> None:
    files = found(tmp_path / "zope.ini", ini(handlers, loggers))
    assert files == LogFiles(
        LogFile(f"/log/{access}", FULL) if access else None,
        tuple(LogFile(f"/log/{name}", FULL) for name in event),
    )


def test_requests_stay_where_paste_sets_up_a_console(tmp_path: Path) -> None:
    files = found(tmp_path / "zope.ini", ini([Handler("event")], [ROOT]), passes_on=False)
    assert files.access is None


def test_the_format_of_a_json_formatter_only_lists_its_fields(tmp_path: Path) -> None:
    files = found(tmp_path / "zope.ini", ini([Handler("event", formatter="json")], [ROOT]))
    assert files.event == (LogFile("/log/event"),)


# Log with each logger at each level, and say for each message which files have it.
EMIT = """
import json, logging, logging.config, os, sys
LEVELS = (10, 20, 30, 40, 50)
for ini in sys.argv[1:]:
    logging.root.handlers.clear()
    logging.root.manager.loggerDict.clear()
    logging.config.fileConfig(ini, disable_existing_loggers=False)
    for name in ("", "wsgi", "plone", "plone.app", "waitress", "waitress.queue", "x"):
        for level in LEVELS:
            logging.getLogger(name).log(level, "=%s %d=", name, level)
    logging.shutdown()
    directory = os.path.dirname(ini)
    files = [name for name in os.listdir(directory) if name.startswith("file")]
    print(json.dumps({name: open(os.path.join(directory, name)).read() for name in files}))
"""
NAMES = ("plone", "plone.app", "waitress", "waitress.queue")


def random_ini(chance: random.Random, directory: str) -> str:
    names = [f"file{number}" for number in range(chance.randint(1, 4))]
    handlers = [
        Handler(name, chance.choice(["NOTSET", "DEBUG", "INFO", "WARNING", "ERROR"]))
        for name in names
    ]
    handlers += [
        Handler(f"memory{name}", chance.choice(["NOTSET", "ERROR"]), name)
        for name in names
        if chance.random() < 0.2
    ]
    loggers = [
        Logger(
            name,
            ", ".join(
                handler.name
                for handler in handlers
                if chance.random() < (0.7 if name == "root" else 0.3)
            ),
            chance.choice([0, 1, 1]),
        )
        for name in ("root", "wsgi", *NAMES)
        if name == "root" or chance.random() < 0.6
    ]
    return ini(handlers, loggers, directory)


def messages(text: str) -> Iterator[tuple[str, int]]:
    for line in text.splitlines():
        name, _, level = line.split("=")[1].rpartition(" ")
        yield name, int(level)


def test_no_record_that_is_in_some_file_is_missed(tmp_path: Path) -> None:
    chance, paths = random.Random(7), []
    for number in range(150):
        directory = tmp_path / str(number)
        directory.mkdir()
        paths.append(directory / "zope.ini")
        paths[-1].write_text(random_ini(chance, str(directory)))
    done = subprocess.run(
        [sys.executable, "-c", EMIT, *paths],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    for path, line in zip(paths, done.stdout.splitlines(), strict=True):
        written = {name: set(messages(text)) for name, text in json.loads(line).items()}
        followed = log_files(read_paste_ini(path, {}, []), "wsgi", True)
        events = [written[Path(file.name).name] for file in followed.event]
        anywhere = set().union(*written.values())
        assert {each for each in anywhere if each[0] != "wsgi"} <= set().union(*events), path
        requests = {each for each in anywhere if each[0] == "wsgi"}
        access = written[Path(followed.access.name).name] if followed.access else set()
        assert all(each in access for each in requests if each[1] >= 40), path
