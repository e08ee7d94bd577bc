"""What is around the lines of a log: found out once, and then taken off each line.

A log may pass through several hands: a JSON formatter writes to standard error, containerd puts a
time in front of it. So there may be several layers, each of one kind; the outermost is the first.
"""

import re
from collections.abc import Callable, Iterator
from typing import Literal, get_args

from . import json_lines

Layer = Literal["docker", "cri", "compose", "syslog", "time", "json"]
LAYERS: tuple[Layer, ...] = get_args(Layer)
_DEEPEST = 3
_SAMPLE = 64 * 1024
_MOST_CARRIED = 1 << 20

_ISO = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)"
_PREFIXES: dict[Layer, bytes] = {
    # journalctl in its forms with a short date, and the files of syslog daemons
    "syslog": rb"(?:<\d{1,3}>)?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,6})?|"
    + _ISO
    + rb"|[A-Z][a-z]{2} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d [A-Z]{1,5})"
    rb" [^ \n]{1,255} [^ \n:\[]{1,100}(?:\[\d{1,10}\])?: ?",
    # P stands before a part of a line, F before the last one
    "cri": _ISO + rb" std(?:out|err) (?:F |P (?P<part>[^\n]*)\n)",
    "compose": rb"[\w.-]{1,80} {1,80}\| ",
    "time": _ISO + rb" ",  # docker logs --timestamps
}
_REGEXES = {layer: re.compile(rb"(?m)^" + text) for layer, text in _PREFIXES.items()}
_ESCAPED = {b"#012": b"\n", b"#011": b"\t"}


def find_layers(block: bytes, begins: Callable[[bytes], bool]) -> tuple[Layer, ...] | None:
    """Find out what is around the records in a block of whole lines, () if nothing is.

    `begins` tells whether a record begins in a text. None if none is found in this way.
    """
    end = block.rfind(b"\n", 0, _SAMPLE) + 1
    return _search(block[:end] if end else block[:_SAMPLE], begins, ())


def _search(
    sample: bytes, begins: Callable[[bytes], bool], outer: tuple[Layer, ...]
) -> tuple[Layer, ...] | None:
    if begins(sample):
        return outer
    if len(outer) == _DEEPEST:
        return None
    for layer in LAYERS:
        inner, carried = _taken_off(layer, sample)
        if inner + carried == sample or layer in outer:
            continue
        if layer == "json":
            return (*outer, layer) if _is_mostly_json(sample) else None
        found = _search(inner + carried, begins, (*outer, layer))
        if found is not None:
            return found
    return None


def _is_mostly_json(sample: bytes) -> bool:
    """A message of a plain log may hold a line of JSON."""
    lines = sample.split(b"\n")[:-1]
    return 2 * sum(line.startswith(b"{") for line in lines) >= len(lines)


def without_prefix(line: bytes, surely: bool = False) -> bytes:
    """Return a single line without what one of the layers puts in front of it.

    `surely` leaves a mere time alone, which may be the line's own.
    """
    for layer, regex in _REGEXES.items():
        found = None if surely and layer == "time" else regex.match(line)
        if found:
            return line[found.end() :]
    return line


class Unwrapping:
    """Takes the layers off one block after the other; parts of a line wait for the rest of it."""

    def __init__(self, layers: tuple[Layer, ...] = (), carried: tuple[bytes, ...] = ()) -> None:
        self.layers = layers
        self.carried = [*carried, *[b""] * (len(layers) - len(carried))]

    def peek(self, block: bytes) -> bytes:
        """Return the beginning of what a call would, without the call."""
        end = block.find(b"\n", _SAMPLE) + 1
        sample = block[:end] if end else block
        return Unwrapping(self.layers, tuple(self.carried))(sample) if self.layers else sample

    def __call__(self, block: bytes) -> bytes:
        """Return the whole lines that are in a block of whole lines."""
        for number, layer in enumerate(self.layers):
            text, carried = _taken_off(layer, block)
            block = self.carried[number] + text
            newline = block.rfind(b"\n") + 1
            block, rest = block[:newline], block[newline:] + carried
            if len(rest) > _MOST_CARRIED:
                block, rest = block + rest[:_MOST_CARRIED] + b"\n", b""
            self.carried[number] = rest
        return block


def _taken_off(layer: Layer, block: bytes) -> tuple[bytes, bytes]:
    """A block without a layer; the last part is a line of which the rest is still to come."""
    if layer in ("docker", "json"):
        text = b"".join(_from_json(layer, block))
    elif layer == "cri":
        text = _REGEXES[layer].sub(rb"\g<part>", block)
    else:
        text = _REGEXES[layer].sub(b"", block)
    if layer == "syslog":
        for escaped, meant in _ESCAPED.items():
            text = text.replace(escaped, meant)
    whole = text.rfind(b"\n") + 1
    return text[:whole], text[whole:]


def _from_json(layer: Layer, block: bytes) -> Iterator[bytes]:
    read = json_lines.from_docker if layer == "docker" else json_lines.record
    *lines, last = block.split(b"\n")
    for line in lines:
        found = json_lines.read_object(line)
        text = None if found is None else read(found)
        yield line + b"\n" if text is None else text
    yield last
