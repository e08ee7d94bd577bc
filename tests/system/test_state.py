import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from shutil import rmtree

import pytest

from tests.support.faults.rights import public_directory, unprivileged
from zope_exporter.system.state import (
    SCHEMA_VERSION,
    OptionalTable,
    StateError,
    open_state,
    state_directory,
)

FILE = Path("state.sqlite3")


def add(file: Path, timeout: float = 2.0) -> list[int]:
    with open_state(file, timeout) as state:
        state.execute("CREATE TABLE IF NOT EXISTS t (n INTEGER)")
        state.execute("INSERT INTO t VALUES (1)")
        return [n for (n,) in state.execute("SELECT n FROM t")]


@pytest.fixture
def blocked(tmp_path: Path) -> Path:
    """A directory that nobody, not even root, can make."""
    (tmp_path / "file").touch()
    return tmp_path / "file/state"


def test_the_first_usable_directory_is_taken_and_made_private(
    tmp_path: Path, blocked: Path
) -> None:
    home = {"HOME": str(tmp_path)}
    systemd = {**home, "STATE_DIRECTORY": f"{tmp_path}/systemd:{tmp_path}/second"}
    xdg = {**home, "XDG_STATE_HOME": str(tmp_path / "xdg")}
    for expected, chosen in [
        ("given", state_directory(tmp_path / "given", systemd, tmp_path / "system")),
        ("systemd", state_directory(None, systemd, tmp_path / "system")),
        ("system", state_directory(None, xdg, tmp_path / "system")),
        ("xdg/zope-exporter", state_directory(None, xdg, blocked)),
        (".local/state/zope-exporter", state_directory(None, home, blocked)),
    ]:
        assert chosen == tmp_path / expected
        assert stat.S_IMODE(chosen.stat().st_mode) == 0o700


def test_a_configured_directory_is_not_replaced_by_another(tmp_path: Path, blocked: Path) -> None:
    with pytest.raises(StateError, match="file/state cannot be written; give state_dir"):
        state_directory(blocked, {"HOME": str(tmp_path)}, tmp_path / "system")


def test_without_any_usable_directory_all_are_named(blocked: Path) -> None:
    with pytest.raises(StateError, match=r"file/state and .*/zope-exporter cannot be written"):
        state_directory(None, {"HOME": str(blocked)}, blocked)


def test_what_is_written_stays_and_is_private(tmp_path: Path) -> None:
    assert add(tmp_path / FILE) == [1]
    assert add(tmp_path / FILE) == [1, 1]
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_an_error_in_the_block_undoes_it(tmp_path: Path) -> None:
    def interrupted() -> None:
        with open_state(tmp_path / FILE) as state:
            state.execute("INSERT INTO t VALUES (2)")
            raise KeyError

    add(tmp_path / FILE)
    with pytest.raises(KeyError):
        interrupted()
    assert add(tmp_path / FILE) == [1, 1]


def test_a_damaged_file_is_moved_aside_and_a_new_one_begun(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    aside = tmp_path / "state.sqlite3.damaged"
    for damage in (b"no database at all" * 100, b"another" * 1000):
        (tmp_path / FILE).write_bytes(damage)
        with pytest.raises(StateError, match=f"; it was moved to {aside}, and what was remembered"):
            add(tmp_path / FILE)
        assert aside.read_bytes() == damage
        assert add(tmp_path / FILE) == [1]
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]


def test_damage_within_is_found_and_its_journal_spoils_no_new_file(tmp_path: Path) -> None:
    add(tmp_path / FILE)
    content = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    with pytest.raises(StateError, match="malformed; it was moved to"):
        add(tmp_path / FILE)
    assert add(tmp_path / FILE) == [1]


def test_a_damaged_file_that_cannot_be_moved_is_named_with_the_remedy() -> None:
    with public_directory() as directory:
        (directory / FILE).write_bytes(b"no database at all" * 100)
        (directory / FILE).chmod(0o666)
        directory.chmod(0o755)
        with unprivileged(), pytest.raises(StateError, match=r"state\.sqlite3: .*; move the file"):
            add(directory / FILE)


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / FILE)) as newer:
        newer.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(StateError, match="newer zope-exporter"):
        add(tmp_path / FILE)


def test_a_file_that_is_locked_is_not_waited_for_without_end(tmp_path: Path) -> None:
    add(tmp_path / FILE)
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateError, match=r"database is locked; another process writes to it"):
            add(tmp_path / FILE, timeout=0.01)


def test_a_directory_that_is_gone_is_made_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = tmp_path / "state"
    directory.mkdir(mode=0o700)
    assert add(directory / FILE) == [1]
    rmtree(directory)
    assert add(directory / FILE) == [1]
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    (told,) = caplog.messages
    assert told == f"{directory} was gone, with all that was remembered; it was made again"


def test_a_directory_that_cannot_be_made_again_is_named(blocked: Path) -> None:
    with pytest.raises(StateError, match=r"file/state.*let the exporter's user write"):
        add(blocked / FILE)


def test_a_table_knows_that_its_file_was_replaced(tmp_path: Path) -> None:
    table = OptionalTable(tmp_path / FILE, "CREATE TABLE IF NOT EXISTS t (n)", "all", None)
    replaced = []
    for _ in range(2):
        for _ in range(2):
            assert table.attempt(lambda _: True)
            replaced.append(table.replaced)
        (tmp_path / FILE).unlink()
    assert replaced == [0, 0, 1, 1]


FILL = """
import resource, signal, sys
from pathlib import Path
from zope_exporter.system.state import StateError, open_state
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
try:
    with open_state(Path(sys.argv[1])) as state:
        state.execute("CREATE TABLE IF NOT EXISTS t (n INTEGER)")
        state.execute("INSERT INTO t VALUES (zeroblob(1000000))")
except StateError as error:
    print(error)
"""


def test_a_full_disk_is_an_error_that_leaves_the_file_usable(tmp_path: Path) -> None:
    add(tmp_path / FILE)
    command = [sys.executable, "-c", FILL, str(tmp_path / FILE)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert str(tmp_path / FILE) in said.stdout
    assert add(tmp_path / FILE) == [1, 1]


def test_a_read_only_file_is_an_error() -> None:
    remedy = "let the exporter's user write the file"
    with public_directory() as directory:
        add(directory / FILE)
        (directory / FILE).chmod(0o444)
        with unprivileged(), pytest.raises(StateError, match=remedy):
            add(directory / FILE)


def test_many_may_use_a_new_file_at_once(tmp_path: Path) -> None:
    start = threading.Barrier(16)
    failures: list[StateError] = []

    def use() -> None:
        start.wait()
        try:
            for _ in range(5):
                add(tmp_path / FILE, timeout=0)  # of one process, whose threads take turns
        except StateError as error:
            failures.append(error)

    users = [threading.Thread(target=use) for _ in range(16)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    assert failures == []
    assert add(tmp_path / FILE) == [1] * 81
