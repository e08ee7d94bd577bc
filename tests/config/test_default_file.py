import os
from pathlib import Path

import pytest

from tests.support.faults.rights import public_directory, unprivileged
from zope_exporter.config.default_file import chosen
from zope_exporter.config.load import ConfigError


def refused(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        chosen(None, path)
    return str(caught.value)


@pytest.fixture
def default(tmp_path: Path) -> Path:
    path = tmp_path / "config.yml"
    path.write_text("discover: false\n")
    return path


def test_a_file_that_is_named_is_taken_whatever_the_default_one_is(default: Path) -> None:
    default.chmod(0o666)
    assert chosen(Path("named.yml"), default) == Path("named.yml")


def test_the_default_one_is_taken_if_there_is_one(default: Path) -> None:
    assert chosen(None, default) == default
    default.unlink()
    assert chosen(None, default) is None
    assert chosen(None, default / "config.yml") is None
    assert chosen(None, default.parent / "missing/config.yml") is None


def test_what_is_there_and_no_file_is_never_ignored(default: Path) -> None:
    default.unlink()
    default.symlink_to("missing")
    assert f"{default}: cannot be read: No such file or directory (" in refused(default)
    default.unlink()
    os.mkfifo(default)
    assert "cannot be read: a FIFO, not a regular file" in refused(default)
    default.unlink()
    default.mkdir()
    assert "name another file by --config.file" in refused(default)


@pytest.mark.parametrize("closed", ["config.yml", "."])
def test_one_that_may_not_be_read_is_an_error_with_its_remedy(closed: str) -> None:
    with public_directory() as directory:
        path = directory / "config.yml"
        path.write_text("discover: false\n")
        (directory / closed).chmod(0)
        with unprivileged():
            said = refused(path)
        directory.chmod(0o755)
    assert said == (
        f"{path}: cannot be read: Permission denied"
        " (let the exporter's user read it, or name another file by --config.file)"
    )


@pytest.mark.parametrize("open_to_all", ["config.yml", "."])
def test_one_that_everybody_can_write_is_refused(default: Path, open_to_all: str) -> None:
    path = default.parent / open_to_all
    path.chmod(path.stat().st_mode | 0o002)
    said = refused(default)
    assert f"{path}: every user of this host can write it (chmod o-w {path}, or" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_one_of_another_user_is_refused(default: Path) -> None:
    os.chown(default, 4321, 4321)
    assert "belongs to user 4321, not to root or to you (chown it, or" in refused(default)
