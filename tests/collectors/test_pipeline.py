from dataclasses import replace
from pathlib import Path

from zope_exporter.collectors.pipeline import PipelineCollector
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
