"""The reference of metrics and configuration, made from the code so that it cannot differ."""

from collections.abc import Iterable, Iterator

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from zope_exporter.config.schema import Config
from zope_exporter.config.types import section_of
from zope_exporter.logs.event.known_patterns import KNOWN_PATTERNS
from zope_exporter.metrics.metric import Metric


def metrics_reference(metrics: Iterable[Metric]) -> str:
    """Return a Markdown table of metrics: name, kind, labels, help."""
    rows = sorted(f"| `{m.name}` | {m.kind} | {_labels(m)} | {m.help} |" for m in metrics)
    return "\n".join(["| metric | kind | labels | meaning |", "|---|---|---|---|", *rows])


def patterns_reference() -> str:
    """Return a Markdown table of the patterns that are counted in every event log."""
    rows = [f"| `{pattern.name}` | {pattern.meaning} |" for pattern in KNOWN_PATTERNS]
    return "\n".join(["| pattern | stands for |", "|---|---|", *rows])


def configuration_reference() -> str:
    """Return a Markdown table of all configuration keys, in the order of the schema."""
    return "\n".join(["| key | default | meaning |", "|---|---|---|", *_rows(Config, "")])


def _labels(metric: Metric) -> str:
    return ", ".join(f"`{label}`" for label in metric.labels)


def _rows(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        section = section_of(field.annotation)
        key = f"{prefix}{field.alias or name}"
        meaning = " ".join((field.description or "").split())
        yield f"| `{key}` | {_default(field)} | {meaning} |"
        if section is not None:
            yield from _rows(section, f"{key}[].")


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
