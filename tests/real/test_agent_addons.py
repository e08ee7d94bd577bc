"""Products that were removed between two starts, or cannot be installed at one, are named."""

from collections.abc import Callable
from pathlib import Path

from tests.support.programs.commands import run
from tests.support.programs.exporter import zope_exporter
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


BROKEN = {
    "Importing": "import no_such_module\n",
    "Installing": "def initialize(context):\n    raise ValueError('secret')\n",
    "Working": "def initialize(context):\n    pass\n",
}


def test_products_that_zope_213_starts_without_are_named(
    zope213: Environment, add_agent: Callable[[Environment], Environment], tmp_path: Path
) -> None:
    zope = ZopeInstance(add_agent(zope213), tmp_path / "instance")
    for name, code in BROKEN.items():
        package = zope.home / "Products" / name
        package.mkdir()
        (package / "__init__.py").write_text(code)
    with zope:
        told = agent_of(zope.home).status()["instance"]
        config = tmp_path / "zope-exporter.yml"
        instances = f"[{{zope_conf: {zope.zope_conf}}}]"
        config.write_text(f"discover: false\nsites: [{{name: old, instances: {instances}}}]\n")
        checked = zope_exporter("check", "--config.file", config, state_dir=tmp_path / "state")
    assert told["broken_products"] == ["Importing", "Installing"]
    assert "started without Importing, Installing, which could not" in checked.stdout
    assert "secret" not in checked.stdout


def test_a_later_zope_is_not_said_to_lack_any(agent63: Environment, tmp_path: Path) -> None:
    with ZopeInstance(agent63, tmp_path / "instance") as zope:
        assert "broken_products" not in agent_of(zope.home).status()["instance"]
