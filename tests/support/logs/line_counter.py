"""A counter of lines that remembers which ones it got."""

from collections import Counter
from collections.abc import Iterator, Mapping

from zope_exporter.logs.tail.lines import JSON, UNPARSED_LINES
from zope_exporter.metrics.metric import Metric, Sample

LINES = Metric("zope_test_lines_total", "counter", "Lines, for tests.", ("site", "log"))


class Lines:
    """Every line it was fed, in order, and the number of those that were skipped."""

    metrics = (LINES, UNPARSED_LINES)

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.skipped = 0

    @property
    def counted(self) -> Counter[bytes]:
        return Counter(self.lines)

    def feed(self, block: bytes) -> None:
        assert block.endswith(b"\n")
        self.lines += block[:-1].split(b"\n")

    def skip(self) -> None:
        self.skipped += 1

    def save(self) -> Mapping[str, JSON]:
        return {"lines": [line.decode("latin-1") for line in self.lines], "skipped": self.skipped}

    def load(self, state: Mapping[str, JSON]) -> None:
        lines, skipped = state.get("lines"), state.get("skipped")
        if not isinstance(lines, list) or not isinstance(skipped, int):
            raise ValueError("not what Lines saved")
        self.lines = [str(line).encode("latin-1") for line in lines]
        self.skipped = skipped

    def samples(self, site: str, log: str) -> Iterator[Sample]:
        yield LINES(len(self.lines), site=site, log=log)
        yield UNPARSED_LINES(self.skipped, site=site, log=log)
