import pytest

from zope_exporter.metric import LabelError, Metric

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
    with pytest.raises(LabelError, match="zope_size_bytes got a label value of type int"):
        SIZE(1, site="a", database=5)  # type: ignore[arg-type]  # the mistake under test


def test_undecodable_bytes_of_a_path_become_printable() -> None:
    assert SIZE(1, site="caf\udce9", database="main").labels == ("caf?", "main")
