"""<timedstorage> in the zope.conf of a real Zope: it is seen through, and may be removed."""

from collections.abc import Callable

from tests.support.programs.processes import eventually
from tests.support.zopes.agent_answers import AgentSocket, agent_of
from tests.support.zopes.environments import Environment
from tests.support.zopes.instances import ZopeInstance, timed
from zope_exporter.discovery.conf.zope_conf import read_zope_conf
from zope_exporter.discovery.inventory import Database

FILESTORAGE = """\
<filestorage>
  path $INSTANCE/var/Data.fs
  blob-dir $INSTANCE/var/blobs
</filestorage>"""


def database(zope: ZopeInstance) -> Database:
    """What the exporter reads of it in zope.conf."""
    conf = read_zope_conf(zope.zope_conf, environ={"INSTANCE_HOME": str(zope.home)})
    [main] = (each for each in conf.databases if each.name == "main")
    return main


def fields(agent: AgentSocket) -> list[str]:
    found: list[str] = agent.status()["requests"]["views"]["fields"]
    return found


def test_it_is_seen_through_and_leaves_nothing_behind(
    agent63: Environment, start_zope: Callable[..., ZopeInstance]
) -> None:
    zope = start_zope(agent63, storage=timed(FILESTORAGE))
    agent = agent_of(zope.home)
    zope.site.commit(["one"], "x" * 10_000)
    assert "load_seconds" in fields(agent)
    main = agent.status()["databases"]["main"]
    assert (main["storage"], main["pack_running"]) == ("FileStorage", False)
    found = database(zope)
    assert (found.data_fs, found.blob_dir) == (zope.home / "var/Data.fs", zope.home / "var/blobs")
    assert agent.send("POST", "/v1/pack", {"database": "main", "days": 0}).status_code == 202
    eventually(lambda: not agent.get("/v1/pack")["packs"]["main"]["running"])
    assert agent.get("/v1/pack")["packs"]["main"]["error"] is None
    assert (zope.home / "var/Data.fs.old").exists()
    zope.stop()
    zope.zope_conf.write_text(zope.zope_conf.read_text().replace(timed(FILESTORAGE), FILESTORAGE))
    zope.start()
    assert database(zope) == found
    assert zope.site.get("/one").status_code == 200
    assert "load_seconds" not in fields(agent_of(zope.home))
