"""What an instance tells of itself, whatever it may not read."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from Products.ZopeExporterAgent.instance import Instance, hash_of
from Products.ZopeExporterAgent.parts import gather


def told(files: list[Any]) -> tuple[dict[str, Any], dict[str, str]]:
    errors: dict[str, str] = {}
    instance = Instance(SimpleNamespace(debug_mode=True), files)
    return gather(instance.parts(), errors), errors


def test_the_hash_is_that_of_the_files_at_the_start(tmp_path: Path) -> None:
    conf = tmp_path / "zope.conf"
    conf.write_text("debug-mode on")
    assert told([conf])[0]["config_hash"] == hash_of([conf])


@pytest.mark.parametrize("files", [[], ["zope.conf"], [object()]])
def test_a_file_that_cannot_be_read_costs_only_the_hash(files: list[Any], tmp_path: Path) -> None:
    found, errors = told([tmp_path / file if isinstance(file, str) else file for file in files])
    assert found["debug_mode"] is True
    assert "config_hash" not in found
    assert "not readable" in errors["config_hash"]
