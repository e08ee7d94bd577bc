"""The first hour beside a real Zope: `init`, then `check` with what it has written."""

from collections.abc import Callable
from pathlib import Path

from tests.support.programs.exporter import zope_exporter
from tests.support.zopes.environments import Environment
from tests.support.zopes.instances import ZopeInstance
from zope_exporter.config.load import load_config


def test_check_with_its_configuration_says_what_it_says_without_one(
    zope63: Environment, start_zope: Callable[..., ZopeInstance], tmp_path: Path
) -> None:
    zope = start_zope(zope63, "first-hour")
    config = tmp_path / "first/config.yml"

    def told(*flags: str | Path) -> list[str]:
        run = zope_exporter("check", *flags, state_dir=tmp_path / "state")
        assert run.stderr == ""
        # The lines about this site; other tests have Zopes of theirs beside it.
        return [
            " ".join(line.split()) for line in run.stdout.splitlines() if " first-hour " in line
        ]

    run = zope_exporter("init", tmp_path / "first", state_dir=tmp_path / "state")
    assert "zope first-hour of site first-hour" in run.stdout
    (site,) = [each for each in load_config(config).sites if each.name == "first-hour"]
    assert [(each.name, each.zope_conf) for each in site.instances] == [
        ("first-hour", zope.zope_conf)
    ]
    with_it = told("--config.file", config)
    assert f"pid {zope.pid}" in with_it[0]
    assert not [line for line in with_it if line.startswith(("CRITICAL", "UNKNOWN"))]
    assert [line.split()[:3] for line in with_it] == [line.split()[:3] for line in told()]
