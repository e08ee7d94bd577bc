from pathlib import Path

import pytest

from zope_exporter.logs.access.pipeline import access_log_complete, explain_gaps

LOG, ANSWER, ZOPE = "egg:Paste#translogger", "egg:Zope#httpexceptions", "egg:Zope#main"
OTHER = "egg:repoze.debug#debug"
INI = Path("/srv/zope/etc/zope.ini")


@pytest.mark.parametrize(
    ("components", "complete"),
    [
        ([ANSWER, LOG, ZOPE], False),
        ([LOG, ANSWER, ZOPE], True),
        ([OTHER, LOG, OTHER, ANSWER, ZOPE], True),
        ([OTHER, ANSWER, OTHER, LOG, ZOPE], False),
        ([LOG, ZOPE], False),
        ([LOG, ANSWER, LOG, ZOPE], True),
        ([ANSWER, ZOPE], None),
        ([ZOPE], None),
        ([], None),
    ],
)
def test_the_order_of_the_filters_decides(components: list[str], complete: bool | None) -> None:
    assert access_log_complete(components) is complete


@pytest.mark.parametrize(
    ("pipeline", "components", "order"),
    [
        (
            ["egg:Zope#httpexceptions", "translogger", "zope"],
            [ANSWER, LOG, ZOPE],
            "translogger egg:Zope#httpexceptions zope",
        ),
        (
            ["debug", "answers", "log", "zope"],
            [OTHER, ANSWER, LOG, ZOPE],
            "log debug answers zope",
        ),
        (["log", "zope"], [LOG, ZOPE], "log egg:Zope#httpexceptions zope"),
    ],
)
def test_the_remedy_names_file_and_order(
    pipeline: list[str], components: list[str], order: str
) -> None:
    text = explain_gaps(INI, pipeline, components)
    assert text is not None
    assert f"in {INI} set pipeline = {order}," in text
    assert "404" in text
    assert "500" in text
    assert "standard_error_message" in text


@pytest.mark.parametrize("components", [[LOG, ANSWER, ZOPE], [ANSWER, ZOPE], []])
def test_there_is_nothing_to_say_of_a_good_order_or_an_unknown_one(components: list[str]) -> None:
    assert explain_gaps(INI, ["a", "b", "c"][: len(components)], components) is None
