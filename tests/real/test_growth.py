"""Real Zopes that write when they are read, and whose indexes grow: the command names them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tests.support.programs.exporter import Page, serving, zope_exporter
from tests.support.zopes.environments import Environment
from tests.support.zopes.instances import ZopeInstance

# For Python 2.7 as well as 3.
VIEWS = '''\
from BTrees.IIBTree import IIBTree
from BTrees.OOBTree import OOBTree


def visited(self):
    """Count who looks at a page, as views should not."""
    counts = self._p_jar.root().setdefault("visits", OOBTree())
    counts["front"] = counts.get("front", 0) + 1
    return "%d visits" % counts["front"]


def reindex(self):
    """Write most of an index anew, as a catalog does for objects that have not changed."""
    index = self._p_jar.root().setdefault("index", IIBTree())
    for number in range(3000):
        index[number] = index.get(number, 0) + 1
    return "%d entries" % len(index)


def shown(self):
    return "%d" % self._p_jar.root().setdefault("visits", OOBTree())["front"]
'''
VISITS, RUNS = 12, 3


def publish(zope: ZopeInstance) -> None:
    extensions = zope.home / "Extensions"
    extensions.mkdir(exist_ok=True)
    (extensions / "views.py").write_text(VIEWS)
    for name in ("visited", "reindex", "shown"):
        form = {"id": name, "title": "", "module": "views", "function": name}
        add = "/manage_addProduct/ExternalMethod/manage_addExternalMethod"
        assert zope.site.post(add, form).status_code in (200, 302)


def use(zope: ZopeInstance) -> None:
    """Look at pages as an anonymous visitor, and have the manager reindex."""
    for path in ["/visited"] * VISITS + ["/shown"] * VISITS:
        assert httpx.get(f"{zope.site.url}{path}", trust_env=False).status_code == 200
    for _ in range(RUNS):
        assert zope.site.get("/reindex").text == "3000 entries"


def by_class(page: Page) -> dict[str, float]:
    written = page["zope_filestorage_written_bytes_total"]
    return {dict(labels)["class"]: value for labels, value in written.items()}


def growth(data_fs: Path, by: str) -> dict[str, Any]:
    run = zope_exporter("growth", "--data-fs", data_fs, "--by", by, "--json", state_dir=data_fs)
    assert run.returncode == 0, run.stderr
    told: dict[str, Any] = json.loads(run.stdout)
    return told


def test_what_writes_is_named(
    any_zope: Environment, start_zope: Callable[..., ZopeInstance], tmp_path: Path
) -> None:
    zope = start_zope(any_zope)
    data_fs = zope.home / "var/Data.fs"
    config = tmp_path / "config.yml"
    config.write_text(
        f"discover: false\nsites:\n  - {{name: intranet, instances: [{{data_fs: {data_fs}}}]}}\n"
    )
    flags = "--config.file", config
    with serving(tmp_path / "state", *flags, log=tmp_path / "log") as exporter:
        publish(zope)
        before, size = by_class(exporter.page()), data_fs.stat().st_size
        use(zope)
        after = by_class(exporter.page())
        status = httpx.get(exporter.url, trust_env=False).text

    assert sum(after.values()) - sum(before.values()) == data_fs.stat().st_size - size
    written = {name: value - before.get(name, 0) for name, value in after.items()}
    assert max(written, key=lambda name: written[name]) == "BTrees.IIBTree.IIBucket"
    assert "<bdi>/reindex</bdi>" in status
    assert "visited wrote" in status
    assert "admin" not in status

    for by, largest in [("class", "BTrees.IIBTree.IIBucket"), ("path", "/reindex")]:
        told = growth(data_fs, by)
        assert told["total_bytes"] == data_fs.stat().st_size - 4
        assert told["total_bytes"] == sum(row["bytes"] for row in told["rows"])
        assert told["rows"][0]["key"] == largest
    paths = {row["key"]: row["transactions"] for row in told["rows"]}
    assert (paths["/visited"], paths["/reindex"]) == (VISITS, RUNS)
    assert "/shown" not in paths
    [database] = told["databases"]
    indexes, read = database["remarks"]
    assert indexes.startswith("Indexes, as a catalog has them: ")
    assert "visited wrote" in read
    assert f"in {VISITS} transactions" in read
    users = {row["key"]: row["transactions"] for row in growth(data_fs, "user")["rows"]}
    assert users["(anonymous)"] == VISITS
    [manager] = [name for name in users if name.endswith("admin")]
    assert users[manager] >= RUNS
