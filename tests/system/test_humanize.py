import pytest

from zope_exporter.system.humanize import duration, size


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (61_234_567, "61.2 MB"),
        (999_499_999, "999 MB"),
        (999_500_000, "1 GB"),
        (2.5e15, "2.5e+03 TB"),
    ],
)
def test_size(count: float, said: str) -> None:
    assert size(count) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (59, "59 s"), (90, "2 min"), (7200, "2 h"), (400_000, "5 d"), (-7200, "-2 h")],
)
def test_duration(seconds: float, said: str) -> None:
    assert duration(seconds) == said
