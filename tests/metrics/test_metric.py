import pytest

from zope_exporter.metrics.metric import LabelError, Metric

SIZE = Metric("zope_size_bytes", "gauge", "A size.", ("site", "database"))


def test_a_sample_keeps_the_declared_order_of_labels() -> None:
    sample = SIZE(3, database="main", site="intranet")
    assert sample.labels == ("intranet", "main")
    assert sample.value == 3.0


@pytest.mark.parametrize("labels", [{}, {"site": "a"}, {"site": "a", "database": "b", "more": "c"}])
def test_other_labels_than_declared_are_refused(labels: dict[str, str]) -> None:
    with pytest.raises(LabelError, match="zope_size_bytes takes the labels"):
        SIZE(1, **labels)


def test_a_label_value_that_is_not_text_is_refused() -> None:
    with pytest.raises(LabelError, match="zope_size_bytes got label values of the types str, int"):
        SIZE(1, site="a", database=5)  # type: ignore[arg-type]  # the mistake under test


def test_undecodable_bytes_of_a_path_become_printable() -> None:
    assert SIZE(1, site="caf\udce9", database="main").labels == ("caf?", "main")


TIME = Metric("zope_time_seconds", "histogram", "A time.", ("site",))


def test_a_histogram_adds_its_buckets_up() -> None:
    samples = list(TIME.buckets([0.5, 1], [3, 0, 2], 7.5, site="a"))
    assert [(s.suffix, s.bound, s.value) for s in samples] == [
        ("_bucket", 0.5, 3),
        ("_bucket", 1, 3),
        ("_bucket", float("inf"), 5),
        ("_sum", None, 7.5),
        ("_count", None, 5),
    ]
    assert {sample.labels for sample in samples} == {("a",)}


def test_a_histogram_needs_a_count_for_each_bucket_and_one_more() -> None:
    with pytest.raises(ValueError, match="zip"):
        list(TIME.buckets([0.5, 1], [3, 0], 7.5, site="a"))


def test_a_histogram_is_no_number_and_a_number_no_histogram() -> None:
    with pytest.raises(LabelError, match="zope_time_seconds is a histogram"):
        TIME(1, site="a")
    with pytest.raises(LabelError, match="zope_size_bytes is no histogram"):
        list(SIZE.buckets([], [1], 1, site="a", database="b"))
    with pytest.raises(LabelError, match="zope_time_seconds takes the labels"):
        list(TIME.buckets([], [1], 1))
