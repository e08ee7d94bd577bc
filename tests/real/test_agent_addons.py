"""Objects whose product was removed between two starts: their classes are named."""

from pathlib import Path

from tests.support.programs.commands import run
from tests.support.zopes.agent_answers import agent_of
from tests.support.zopes.environments import Environment
from tests.support.zopes.instances import ZopeInstance

_PRODUCT = """\
from OFS.SimpleItem import SimpleItem


class Thing(SimpleItem):
    id = "thing"
"""
_CREATE = """\
import transaction
from vanishing import Thing

app._setObject("thing", Thing())
transaction.commit()
"""


def test_classes_whose_product_was_removed_are_named(agent63: Environment, tmp_path: Path) -> None:
    product, create = tmp_path / "product/vanishing.py", tmp_path / "create.py"
    product.parent.mkdir()
    product.write_text(_PRODUCT)
    create.write_text(_CREATE)
    zope = ZopeInstance(agent63, tmp_path / "instance")
    environ = {"PYTHONPATH": str(product.parent)}
    run([agent63.script("zconsole"), "run", zope.zope_conf, create], tmp_path / "log", environ)
    product.unlink()
    with zope:
        told = agent_of(zope.home).status()["instance"]
    assert told["broken_names"] == ["vanishing.Thing"]
    assert told["broken_classes"] == 1
