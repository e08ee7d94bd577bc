"""Native histograms of Prometheus: buckets whose bounds grow by one factor."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

MOST_BUCKETS = 160  # as many as client libraries are told to keep at most


@dataclass(frozen=True)
class NativeHistogram:
    """How many of what was observed, which is never below 0, are in which bucket.

    Bucket `i` ends at 2 to the power of `i / 2**schema`, which belongs to it, and begins where the
    one before ends. What is not above `zero_threshold`, itself above 0, is in none: `zero_count`
    is how many that are. `total` is the sum of all that was observed.
    """

    schema: int
    zero_threshold: float
    zero_count: int
    buckets: Mapping[int, int]
    total: float

    @property
    def count(self) -> int:
        return self.zero_count + sum(self.buckets.values())

    def limited(self) -> "NativeHistogram":
        """Return the same in MOST_BUCKETS at most: two neighbours become one until they fit.

        Counts only grow, so that a histogram which had to be made coarser once stays so.
        """
        if len(self.buckets) <= MOST_BUCKETS:
            return self
        joined: Counter[int] = Counter()
        for index, count in self.buckets.items():
            joined[(index + 1) // 2] += count
        schema, zeros = self.schema - 1, self.zero_count
        return NativeHistogram(schema, self.zero_threshold, zeros, joined, self.total).limited()
