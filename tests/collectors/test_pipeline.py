from dataclasses import replace
from pathlib import Path

import pytest

from zope_exporter.collectors.pipeline import PipelineCollector, access_log_complete, explain_gaps
from zope_exporter.discovery.inventory import Inventory, Service, Site
from zope_exporter.metrics.exposition import encode

GOLDEN = Path(__file__).with_name("golden")

SHIPPED = ("egg:Zope#httpexceptions", "egg:Paste#translogger", "egg:Zope#main")
ZOPE = Service(
    "zope",
    "shipped",
    Path("/srv/intranet/etc/zope.conf"),
    wsgi_ini=Path("/srv/intranet/etc/zope.ini"),
    pipeline_code=SHIPPED,
)
MENDED = replace(ZOPE, name="mended", pipeline_code=(SHIPPED[1], SHIPPED[0], SHIPPED[2]))
SILENT = replace(ZOPE, name="silent", pipeline_code=SHIPPED[2:])
ZOPE2 = replace(
    ZOPE, name="zope2", wsgi_ini=None, pipeline_code=(), access_log=Path("/srv/intranet/log/Z2.log")
)
ZEO = Service("zeo", "zeo", Path("/srv/intranet/etc/zeo.conf"))


def test_golden_page() -> None:
    inventory = Inventory((Site("intranet", (ZOPE, MENDED, SILENT, ZOPE2, ZEO)),))
    page, _ = encode(PipelineCollector(lambda: inventory).collect(), "")
    assert page.decode() == (GOLDEN / "pipeline.txt").read_text()


LOG, ANSWER, APPLICATION = "egg:Paste#translogger", "egg:Zope#httpexceptions", "egg:Zope#main"
OTHER = "egg:repoze.debug#debug"
INI = Path("/srv/zope/etc/zope.ini")


@pytest.mark.parametrize(
    ("components", "complete"),
    [
        ([ANSWER, LOG, APPLICATION], False),
        ([LOG, ANSWER, APPLICATION], True),
        ([OTHER, LOG, OTHER, ANSWER, APPLICATION], True),
        ([OTHER, ANSWER, OTHER, LOG, APPLICATION], False),
        ([LOG, APPLICATION], False),
        ([LOG, ANSWER, LOG, APPLICATION], True),
        ([ANSWER, APPLICATION], None),
        ([APPLICATION], None),
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
            [ANSWER, LOG, APPLICATION],
            "translogger egg:Zope#httpexceptions zope",
        ),
        (
            ["debug", "answers", "log", "zope"],
            [OTHER, ANSWER, LOG, APPLICATION],
            "log debug answers zope",
        ),
        (["log", "zope"], [LOG, APPLICATION], "log egg:Zope#httpexceptions zope"),
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


@pytest.mark.parametrize("components", [[LOG, ANSWER, APPLICATION], [ANSWER, APPLICATION], []])
def test_there_is_nothing_to_say_of_a_good_order_or_an_unknown_one(components: list[str]) -> None:
    assert explain_gaps(INI, ["a", "b", "c"][: len(components)], components) is None
