import pytest

from zope_exporter.system.humanize import duration, few, plain, seconds, size


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


@pytest.mark.parametrize(
    ("texts", "between", "said"),
    [
        ([], ", ", ""),
        (["a", "b"], ", ", "a, b"),
        ("abcde", "; ", "a; b; c; d; e"),
        ("abcdefgh", ", ", "a, b, c, d, e and 3 more"),
        ("abcdef", "; ", "a; b; c; d; e; and 1 more"),
    ],
)
def test_of_many_things_a_few_are_named(texts: list[str], between: str, said: str) -> None:
    assert few(texts, between) == said


@pytest.mark.parametrize(
    ("text", "length"),
    [("90m", 5400), ("1.5h", 5400), ("500ms", 0.5), ("", None), ("5", None), ("-5m", None)],
)
def test_a_time_span_as_people_write_it(text: str, length: float | None) -> None:
    assert seconds(text) == length


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Grüße", "Grüße"),
        ("a\x1b[2J\n", "a\\x1b[2J\\n"),
        ("\u202e", "\\u202e"),
        ("\udc80", "\\udc80"),
        ("abcdefghijk", "abcdefghi…"),
        ("\0" * 10**6, "\\x00\\x00\\…"),
    ],
)
def test_what_others_wrote_is_short_and_printable(text: str, said: str) -> None:
    assert plain(text, 10) == said
