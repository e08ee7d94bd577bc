from pathlib import Path

import bcrypt
import pytest

from zope_exporter.config.load import ConfigError
from zope_exporter.web.reloading_config import file_state
from zope_exporter.web.webconfig import WebConfigFile

HASH = bcrypt.hashpw(b"geheim", b"$2b$04$abcdefghijklmnopqrstuu").decode()
USERS = f"basic_auth_users: {{alice: {HASH}}}"
TLS = "tls_server_config: {cert_file: a, key_file: b}"


def test_a_broken_file_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is missing"):
        WebConfigFile(tmp_path / "web.yml")


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        (USERS, "", "basic_auth_users: cannot go while running"),
        (USERS, f"{USERS}\n{TLS}", "tls_server_config: cannot come or go while running"),
        (f"{USERS}\n{TLS}", USERS, "tls_server_config: cannot come or go while running"),
    ],
)
def test_promise_29_no_protection_is_dropped_while_running(
    tmp_path: Path, old: str, new: str, key: str
) -> None:
    path = tmp_path / "web.yml"
    path.write_text(old)
    file = WebConfigFile(path)
    path.write_text(new)
    for _ in range(2):
        with pytest.raises(ConfigError, match=key):
            file.current()
    path.write_text(old)
    assert file.current().basic_auth_users == {"alice": HASH}


def test_a_protection_may_be_added_while_running(tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    path.write_text("")
    file = WebConfigFile(path)
    path.write_text(USERS)
    assert file.current().basic_auth_users == {"alice": HASH}
    path.write_text("")
    with pytest.raises(ConfigError):
        file.current()


def test_a_replaced_file_of_the_same_size_is_noticed(tmp_path: Path) -> None:
    path, new = tmp_path / "web.yml", tmp_path / "new.yml"
    path.write_text(USERS)
    new.write_text(USERS.replace("alice", "ecila"))
    file = WebConfigFile(path)
    new.replace(path)
    assert set(file.current().basic_auth_users) == {"ecila"}


def test_a_switched_link_is_noticed(tmp_path: Path) -> None:
    one, two, link = tmp_path / "1", tmp_path / "2", tmp_path / "link"
    one.write_text("a")
    two.write_text("b")
    link.symlink_to(one)
    before = file_state(link)
    (tmp_path / "next").symlink_to(two)
    (tmp_path / "next").replace(link)
    assert file_state(link) != before
    two.unlink()
    assert file_state(link) is None
