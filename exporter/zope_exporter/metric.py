"""Metric declarations and the samples they make.

A metric is declared once, as a module constant beside the code that fills it, with its full name
in one string literal. Exposition, the README's reference and the naming lint read that declaration.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Kind = Literal["counter", "gauge", "info"]


@dataclass(frozen=True)
class Metric:
    """One metric family: full name as exposed, kind, one sentence of help, label names."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()

    def __call__(self, value: float = 1.0, **labels: str) -> "Sample":
        """Make a sample of this metric.

        Raises LabelError unless exactly the declared labels are given, and all of them as text.
        """
        if labels.keys() != set(self.labels):
            raise LabelError(f"{self.name} takes the labels {self.labels}, not {tuple(labels)}")
        return Sample(
            self, tuple(_text(self.name, labels[name]) for name in self.labels), float(value)
        )


class Sample(NamedTuple):
    """One value of one series; `labels` are the values in the order of `metric.labels`."""

    metric: Metric
    labels: tuple[str, ...]
    value: float


class LabelError(ValueError):
    """A sample was made with other labels than its metric declares."""


def _text(metric: str, value: object) -> str:
    if not isinstance(value, str):
        raise LabelError(f"{metric} got a label value of type {type(value).__name__}")
    # Undecodable bytes of a path are lone surrogates, which would make the whole page unencodable.
    return value.encode("utf-8", "replace").decode()
