"""Where the logging sections of an ini file send the access and the event log."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from .paste_ini import PasteIni

_MAX_ARGUMENTS = 4096


@dataclass(frozen=True)
class LogFile:
    """A log as one handler writes it, relative to where Zope was started."""

    name: str
    format: str | None
    date_format: str | None


def log_file(ini: PasteIni, logger: str) -> LogFile | None:
    """The first file that a logger's own handlers write, "root" being the root logger.

    None if it writes none, such as when all goes to a stream.
    """
    for handler in _handlers(ini, logger):
        section = f"handler_{handler}"
        kind = (ini.get(section, "class") or "").rpartition(".")[2]
        if not kind.endswith("FileHandler"):
            continue
        name = _file_name(ini, section)
        if name is None:
            ini.problems.append(
                f"{ini.path}: args in [{section}] have no plain file name; name the log by hand"
            )
        elif not name.startswith(("/dev/", "/proc/")):
            formatter = f"formatter_{ini.get(section, 'formatter')}"
            return LogFile(name, ini.raw(formatter, "format"), ini.raw(formatter, "datefmt"))
    return None


def _handlers(ini: PasteIni, logger: str) -> Iterator[str]:
    for key in _words(ini.get("loggers", "keys")):
        section = f"logger_{key}"
        qualified = "root" if key == "root" else ini.get(section, "qualname")
        if qualified == logger:
            yield from _words(ini.get(section, "handlers"))


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",")]


def _file_name(ini: PasteIni, section: str) -> str | None:
    """The first argument of a file handler; logging evaluates it as Python, we only look at it."""
    arguments = _expression(ini.get(section, "args"))
    if isinstance(arguments, ast.Tuple | ast.List) and arguments.elts:
        return _text(arguments.elts[0])
    keywords = _expression(ini.get(section, "kwargs"))
    if isinstance(keywords, ast.Dict):
        for key, value in zip(keywords.keys, keywords.values, strict=True):
            if key is not None and _text(key) == "filename":
                return _text(value)
    return None


def _expression(text: str | None) -> ast.expr | None:
    if text is None or len(text) > _MAX_ARGUMENTS:
        return None
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _text(expression: ast.expr) -> str | None:
    value = expression.value if isinstance(expression, ast.Constant) else None
    # An escaped NUL or surrogate is text, but cannot be in a path.
    return value if isinstance(value, str) and value.isprintable() else None
