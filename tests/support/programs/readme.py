"""README tables made from the code: `python -m tests.support.programs.readme` writes them anew."""

import ast
import inspect
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from textwrap import dedent

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from zope_exporter.app.declarations import declared_metrics, metrics_reference
from zope_exporter.config.schema import Config
from zope_exporter.config.types import Section, section_of
from zope_exporter.logs.event.patterns import KNOWN_PATTERNS

README = Path(__file__).parents[3] / "README.md"


def with_tables(text: str) -> str:
    """Return the README with its tables as the code has them."""
    tables = {
        "metrics": metrics_reference(declared_metrics()),
        "patterns": patterns_reference(),
        "configuration": configuration_reference(),
    }
    for name, table in tables.items():
        before, begin, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        if not begin or not end:
            raise ValueError(f"{README} has no section for {name}")
        text = f"{before}{begin}\n{table}\n\n{end}{after}"
    return text


def patterns_reference() -> str:
    """Return a Markdown table of the patterns that are counted in every event log."""
    rows = [f"| `{pattern.name}` | {pattern.meaning} |" for pattern in KNOWN_PATTERNS]
    return "\n".join(["| pattern | stands for |", "|---|---|", *rows])


def configuration_reference() -> str:
    """Return a Markdown table of all configuration keys, in the order of the schema."""
    return "\n".join(["| key | default | meaning |", "|---|---|---|", *_rows(Config, "")])


def _rows(model: type[BaseModel], prefix: str) -> Iterator[str]:
    meanings = dict(_meanings(model))
    for name, field in model.model_fields.items():
        section = section_of(field.annotation)
        key = f"{prefix}{field.alias or name}"
        meaning = " ".join(meanings.get(name, "").split())
        yield f"| `{key}` | {_default(field)} | {meaning} |"
        if section is not None:
            yield from _rows(section, f"{key}[].")


def _meanings(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """Yield each key with the docstring below it."""
    for section in reversed(model.__mro__):
        if issubclass(section, Section) and section is not Section:
            (definition,) = ast.parse(dedent(inspect.getsource(section))).body
            assert isinstance(definition, ast.ClassDef)
            for field, text in pairwise(definition.body):
                match field, text:
                    case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(
                        value=ast.Constant(value=str(meaning))
                    ):
                        yield name, meaning


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, float):
        return f"`{value:g}s`"
    if isinstance(value, int | str):
        return f"`{value}`"
    return ""


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text()))
