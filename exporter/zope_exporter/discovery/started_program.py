"""Which program a process runs, seen through interpreters, debuggers and loaders."""

import re
from collections.abc import Collection, Mapping, Sequence

# The interpreters that plone.recipe.zope2instance and zc.recipe.egg write are Python scripts with
# Python's own options, so that they stand between python and the program.
_INTERPRETER = re.compile(
    r"(?:.*/)?\.?(?:(?:zope-)?(?:python|pypy|graalpy)[\d.]*[a-z]*(?:-dbg|-c|-wrapped)?"
    r"|interpreter|zopepy)"
)
# Debian calls it by its plugin, too: uwsgi_python3, or uwsgi-core behind these links.
UWSGI = r"uwsgi(?:-core|_python\d*)?"
_LOADER = re.compile(r"(?:.*/)?ld-(?:linux|musl)[\w.-]*\.so\.\d+")
_VALUED_OPTION = re.compile(r"-([^-cmWXQ]*)([cmWXQ])(.*)", re.DOTALL)

_OF_LOADER = frozenset({"--library-path", "--preload", "--argv0", "--audit", "--inhibit-rpath"})
# What runs a program under its eyes, with those of its options that take the next word.
_WATCHERS: Mapping[str, Collection[str]] = {
    "coverage": ("--concurrency", "--context", "--data-file", "--include", "--omit", "--rcfile"),
    "debugpy": ("--listen", "--connect", "--log-to", "--adapter-access-token"),
    "pdb": ("-c",),
    "cProfile": ("-o", "-s"),
}


def program_of(argv: Sequence[str]) -> tuple[str, list[str]]:
    """The script or dotted module that runs, and its own arguments."""
    program, arguments = (argv[0], list(argv[1:])) if argv else ("", [])
    while True:
        watcher = program.rpartition("/")[2]
        if _INTERPRETER.fullmatch(program):
            program, arguments = _run_by_interpreter(arguments)
        elif _LOADER.fullmatch(program):
            program, arguments = _run_after_options(arguments, _OF_LOADER)
        elif watcher in _WATCHERS:
            if watcher == "coverage":
                command, arguments = arguments[:1], arguments[1:]
                if command != ["run"]:
                    return program, arguments
            program, arguments = _run_after_options(arguments, _WATCHERS[watcher])
        else:
            return program, arguments


def is_interpreter(program: str) -> bool:
    """Whether that is a Python, whatever it runs."""
    return _INTERPRETER.fullmatch(program) is not None


def _run_by_interpreter(words: list[str]) -> tuple[str, list[str]]:
    """What an interpreter's arguments tell it to run."""
    rest = iter(words)
    for word in rest:
        if not word.startswith("-"):
            return word, list(rest)
        if word == "-":
            break
        valued = _VALUED_OPTION.fullmatch(word)
        if word == "--check-hash-based-pycs" or (valued and not valued[3] and valued[2] != "m"):
            next(rest, None)
        if valued and valued[2] == "c":
            break
        if valued and valued[2] == "m":
            return valued[3] or next(rest, ""), list(rest)
    return "", []


def _run_after_options(words: list[str], valued: Collection[str]) -> tuple[str, list[str]]:
    """What comes first that is no option, or the module of -m."""
    rest = iter(words)
    for word in rest:
        if word == "-m":
            return next(rest, ""), list(rest)
        if not word.startswith("-"):
            return word, list(rest)
        if word in valued or word.startswith("--configure-"):
            next(rest, None)
    return "", []
