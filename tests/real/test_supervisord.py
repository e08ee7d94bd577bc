"""A Zope that supervisord starts, and its output in the file that supervisord writes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases.maintained import write_token
from tests.support.programs.exporter import Running, serving, zope_exporter
from tests.support.programs.processes import eventually
from tests.support.zopes.environments import Environment
from tests.support.zopes.instances import ZopeInstance
from tests.support.zopes.supervised import supervised

NAME = "supervised"
CONFIG = """\
actions:
  token_file: token
  backup: {{cooldown: 0s}}
  verify: {{cooldown: 0s}}
  pack: {{days: 0, cooldown: 0s}}
sites:
  - name: supervised
    logs: {{access: [{log}], event: [{log}]}}
    backup: {{repository: {backups}}}
"""


@pytest.fixture
def zope(agent63: Environment, tmp_path: Path) -> Iterator[ZopeInstance]:
    with supervised(agent63, tmp_path / NAME) as zope:
        yield zope


def logged(exporter: Running, name: str) -> set[str]:
    """The logs of the site in which something was counted."""
    found = [(dict(labels), value) for labels, value in exporter.page().get(name, {}).items()]
    return {labels["log"] for labels, value in found if labels["site"] == NAME and value}


def test_all_of_it_is_seen_and_its_data_are_backed_up_and_packed(
    zope: ZopeInstance, tmp_path: Path
) -> None:
    config, log, state = tmp_path / "exporter.yml", zope.home / "var/zope.log", tmp_path / "state"
    backups = tmp_path / "backups"
    backups.mkdir()
    write_token(tmp_path / "token")
    config.write_text(CONFIG.format(log=log, backups=backups))
    main = {"site": NAME, "database": "main"}
    with serving(state, "--config.file", config, log=tmp_path / "log") as exporter:
        eventually(lambda: exporter.value("zope_process_up", site=NAME, zope=NAME) == 1)
        assert exporter.value("zope_agent_up", site=NAME, zope=NAME) == 1
        assert exporter.value("zope_ping_up", site=NAME, target=NAME) == 1
        before = exporter.value("zope_filestorage_size_bytes", **main)
        zope.site.commit(["one", "gone"])
        zope.site.post("/manage_delObjects", {"ids:list": "gone"})
        size = (zope.home / "var/Data.fs").stat().st_size
        assert exporter.value("zope_filestorage_size_bytes", **main) == size != before
        assert exporter.value("zope_cache_target_objects", **main, zope=NAME)
        assert logged(exporter, "zope_http_requests_total") == {log.name}
        assert logged(exporter, "zope_event_log_records_total") == {"var-zope.log"}
        assert logged(exporter, "zope_log_unparsed_lines_total") == set()
    flags = "--config.file", config
    restored = tmp_path / "restored.fs"
    for words in (
        *(("backup", NAME, *flags), ("verify", NAME, *flags), ("pack", NAME, *flags)),
        ("restore", backups, restored),
    ):
        done = zope_exporter(*words, state_dir=state)
        assert done.returncode == 0, done.stdout + done.stderr
    assert restored.stat().st_size == size
    assert (zope.home / "var/Data.fs").stat().st_size < size
