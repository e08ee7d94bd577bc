from pathlib import Path

import pytest

from zope_exporter.demo.instance import DemoError, Instance, require, require_space, script


def test_what_is_not_installed_is_named_with_the_remedy() -> None:
    with pytest.raises(DemoError, match="lacks no-such-thing: pip install 'zope-exporter"):
        require(("Zope", "no-such-thing"))


def test_what_is_installed_is_enough() -> None:
    require(("Zope", "Paste"))


def test_too_little_space_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match=f"{tmp_path} has .* MiB free .* set TMPDIR"):
        require_space(tmp_path, 1 << 80)
    require_space(tmp_path, 1)


def test_commands_of_zope_are_found_and_others_refused() -> None:
    assert Path(script("runwsgi")).is_file()
    with pytest.raises(DemoError, match="no command runserver"):
        script("runserver")


def test_the_password_is_not_in_the_repr(tmp_path: Path) -> None:
    instance = Instance(tmp_path, tmp_path / "log", 8080, "abc-secret")
    assert "abc-secret" not in repr(instance)


def test_a_step_that_fails_shows_the_end_of_its_log_and_keeps_it(tmp_path: Path) -> None:
    instance = Instance(tmp_path / "demo", tmp_path / "log", 8080, "abc-secret")
    instance.home.mkdir()
    with pytest.raises(DemoError) as caught:
        instance.fill()  # there is no var directory
    first, *rest = str(caught.value).splitlines()
    kept = Path(first.rpartition(" kept in ")[2].rstrip(":"))
    try:
        assert "zope_exporter.demo.history" in first
        assert "ended with status 1" in first
        assert "FileNotFoundError" in rest[-1]
        assert kept.read_text() == instance.log.read_text()
    finally:
        kept.unlink()
