"""What is wrong with a database itself, so that a faithful backup of it has the same faults."""

from collections.abc import Sequence
from dataclasses import dataclass

SHOWN = 5


@dataclass(frozen=True)
class Faults:
    """How many there are, and a few sentences about them."""

    count: int = 0
    sentences: tuple[str, ...] = ()

    def __add__(self, other: "Faults") -> "Faults":
        return Faults(self.count + other.count, self.sentences + other.sentences)


def dangling(references: Sequence[tuple[int, int]]) -> Faults:
    """Of references, each from an object to one that is not there."""
    sentences = [
        f"object {source:#x} refers to object {target:#x}, which the database does not have"
        for source, target in references[:SHOWN]
    ]
    more = len(references) - SHOWN
    if more > 0:
        sentences.append(f"{more} more references lead to objects that are not there")
    return Faults(len(references), tuple(sentences))


def missing(blobs: Sequence[str]) -> Faults:
    """Of the paths of blobs that objects have and that are not there."""
    sentences = [f"the blob {path} is missing" for path in blobs[:SHOWN]]
    more = len(blobs) - SHOWN
    if more > 0:
        sentences.append(f"{more} more blobs are missing")
    return Faults(len(blobs), tuple(sentences))
