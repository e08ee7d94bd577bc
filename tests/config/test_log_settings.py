"""Which logs there are, as all sites of a host ask for them at each scrape."""

from pathlib import Path

from zope_exporter.config.load import load_config
from zope_exporter.config.log_settings import KEPT_SECONDS, KnownLogs
from zope_exporter.discovery.inventory import Inventory, Service, Site


def inventory(*names: str) -> Inventory:
    services = (Service("zope", name, None, access_log=Path(f"/log/{name}.log")) for name in names)
    return Inventory(tuple(Site(service.name, (service,)) for service in services))


def test_they_are_put_together_once_for_each_inventory() -> None:
    found = inventory("intranet")
    known = KnownLogs(load_config(None), lambda: found, clock=lambda: 0.0)
    first = known()
    assert [source.path for source in first] == [Path("/log/intranet.log")]
    assert known() is first
    found = inventory("intranet", "shop")
    assert [source.site for source in known()] == ["intranet", "shop"]


def test_where_a_path_leads_is_looked_at_again(tmp_path: Path) -> None:
    (tmp_path / "config.yml").write_text(
        "sites:\n  - name: intranet\n    logs: {access: [/log/current/access.log]}\n"
    )
    found, now = inventory("intranet"), 0.0
    known = KnownLogs(load_config(tmp_path / "config.yml"), lambda: found, clock=lambda: now)
    first = known()
    now = KEPT_SECONDS
    assert known() is not first
    assert known() == first
