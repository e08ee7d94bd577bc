"""Tables of the documentation: `python -m tests.support.programs.readme` writes them anew."""

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
from zope_exporter.system.humanize import size

DOCS = Path(__file__).parents[3] / "exporter/docs"


def with_tables() -> dict[Path, str]:
    """Return the pages that have tables, with these as the code has them."""
    tables = {
        "metrics": ("metrics", metrics_reference(declared_metrics())),
        "logs": ("patterns", patterns_reference()),
        "configuration": ("configuration", configuration_reference()),
    }
    return {DOCS / f"{page}.md": _filled(page, *table) for page, table in tables.items()}


def _filled(page: str, name: str, table: str) -> str:
    text = (DOCS / f"{page}.md").read_text()
    before, begin, rest = text.partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition("<!-- end -->")
    if not begin or not end:
        raise ValueError(f"{page}.md has no section for {name}")
    return f"{before}{begin}\n{table}\n\n{end}{after}"


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
    if isinstance(value, int) and value >= 10**6:
        return f"`{size(value)}`"
    if isinstance(value, int | str):
        return f"`{value}`"
    return ""


if __name__ == "__main__":
    for path, text in with_tables().items():
        path.write_text(text)
