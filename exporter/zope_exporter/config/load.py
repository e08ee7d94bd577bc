"""From a YAML file to a checked, frozen Config, or to the list of everything wrong with it.

Files are read safely, with the line of every key for the errors.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from zope_exporter.system.user_error import UserError

from .schema import Config
from .types import section_of

MAX_BYTES = 1 << 20
MAX_NODES = 100_000

# What PyYAML lets out for deep nesting, 31 February, !!bool x, !!timestamp x and the like.
_UNREADABLE = (RecursionError, ValueError, OverflowError, KeyError, AttributeError)

Location = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)

# pydantic speaks of its own types; these are for people who write YAML.
_REASONS = {
    "missing": ("is required", ""),
    "string_type": ("must be text", "put it in quotes"),
    "path_type": ("must be a path", "put it in quotes"),
    "tuple_type": ("must be a list", "start each entry with a dash"),
    "model_type": ("must hold keys with values", ""),
    "dict_type": ("must hold keys with values", ""),
    "bool_type": ("must be true or false", ""),
    "bool_parsing": ("must be true or false", ""),
    "int_type": ("must be a whole number", ""),
    "int_parsing": ("must be a whole number", ""),
}


@dataclass(frozen=True)
class Problem:
    """One mistake in a file: where it is, what is wrong and what to do about it."""

    line: int | None
    key: str
    reason: str
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.key}: {self.reason}" if self.key else self.reason
        return f"{text} ({self.remedy})" if self.remedy else text


class ConfigError(UserError):
    """A configuration file cannot be used; says all that is wrong with it, a line each."""

    def __init__(self, path: Path, problems: list[Problem]) -> None:
        self.path = path
        self.problems = tuple(problems)
        super().__init__("\n".join(self._lines()))

    def _lines(self) -> list[str]:
        return [
            f"{self.path}{f':{problem.line}' if problem.line else ''}: {problem}"
            for problem in self.problems
        ]


@dataclass(frozen=True)
class Document:
    """A parsed file: its data, and the nodes that know their lines."""

    path: Path
    data: object
    root: yaml.Node | None

    def line(self, location: Location) -> int | None:
        """Return the line of the deepest part of `location` that the file has."""
        if self.root is None:
            return None
        node = self.root
        line = node.start_mark.line + 1
        for step in location:
            if isinstance(node, yaml.MappingNode):
                found = [(k, v) for k, v in node.value if k.value == step]
                if not found:
                    break
                key, node = found[0]
                line = key.start_mark.line + 1
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
                node = node.value[step]
                line = node.start_mark.line + 1
        return int(line)


def read(path: Path) -> Document:
    """Read a YAML file.

    Raises ConfigError if it cannot be read, is no YAML, names a key twice or is made to blow up.
    The text of the file is never part of the error: it may hold a secret.
    """
    try:
        loader = yaml.SafeLoader(content_of(path, MAX_BYTES))
        root = loader.get_single_node()
        _check(path, root)
        data = None if root is None else loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        reason = f"is not valid YAML: {_plain(error.problem)}"
        raise ConfigError(path, [Problem(line, "", reason)]) from None
    except yaml.reader.ReaderError as error:
        reason = f"is not text: {error.reason}"
        raise ConfigError(path, [Problem(None, "", reason, "save it as UTF-8")]) from None
    except _UNREADABLE:
        reason = "is nested too deeply or holds an impossible date or number"
        raise ConfigError(path, [Problem(None, "", reason)]) from None
    return Document(path, data, root)


def content_of(path: Path, most: int) -> bytes:
    """Read a file of the configuration. Raises ConfigError, also above `most` bytes."""
    try:
        if not path.is_file():
            missing = "is missing" if not path.exists() else "is not a regular file"
            raise ConfigError(path, [Problem(None, "", missing)])
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
        raise ConfigError(path, [Problem(None, "", reason)]) from None
    if len(content) > most:
        raise ConfigError(path, [Problem(None, "", f"is larger than {most} bytes")])
    return content


def _plain(problem: str | None) -> str:
    # PyYAML quotes the offending alias, anchor or tag, which may be a password without quotes.
    return (problem or "syntax error").split("'")[0].strip().removesuffix(", but found")


def _check(path: Path, root: yaml.Node | None) -> None:
    """Refuse a key given twice (the last would win silently) and aliases that multiply."""
    sizes: dict[int, int] = {}
    problems: list[Problem] = []
    if root is not None and _size(root, sizes, problems) > MAX_NODES:
        reason = "grows too large when its aliases are resolved"
        problems.append(Problem(None, "", reason, "write the values out"))
    if problems:
        raise ConfigError(path, problems)


def _size(node: yaml.Node, sizes: dict[int, int], problems: list[Problem]) -> int:
    if id(node) in sizes:
        return sizes[id(node)]
    sizes[id(node)] = MAX_NODES  # what an alias to a node around itself counts for
    size = 1
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            if name in seen and name != "<<":
                problems.append(Problem(key.start_mark.line + 1, name, "is given twice"))
            seen.add(name)
            size += 1 + _size(value, sizes, problems)
    elif isinstance(node, yaml.SequenceNode):
        size += sum(_size(item, sizes, problems) for item in node.value)
    sizes[id(node)] = size
    return size


def load_config(path: Path | None) -> Config:
    """Return the configuration of `path`, or the defaults without one.

    Raises ConfigError, which lists every problem with its line, key, reason and remedy.
    """
    return Config() if path is None else validate(Config, read(path))


def validate(model: type[Model], document: Document) -> Model:
    """Check a document against a model.

    Raises ConfigError, whose texts never contain a value of the document: it may be a secret.
    """
    data = {} if document.data is None else document.data
    try:
        return model.model_validate(data, context={"directory": document.path.absolute().parent})
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        problems = [_problem(model, document, detail) for detail in details]
        raise ConfigError(document.path, problems) from None


def _problem(model: type[BaseModel], document: Document, detail: ErrorDetails) -> Problem:
    location = detail["loc"]
    key = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    if detail["type"] == "extra_forbidden":
        reason, remedy = "unknown key", _known_keys(model, location)
    elif detail["type"] == "wrong":
        reason, remedy = detail["ctx"]["reason"], detail["ctx"]["remedy"]
    else:
        reason, remedy = _REASONS.get(detail["type"], (detail["msg"], ""))
    return Problem(document.line(location), key.removeprefix("."), reason, remedy)


def _known_keys(model: type[BaseModel], location: Location) -> str:
    *parents, key = location
    for step in parents:
        if isinstance(step, str):
            model = section_of(model.model_fields[step].annotation) or model
    known = sorted(field.alias or name for name, field in model.model_fields.items())
    import difflib  # only for who has mistyped

    close = difflib.get_close_matches(str(key), known, n=1)
    return f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"
