import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from shutil import rmtree

from zope_exporter.discovery.memory import Memory, Remembered, open_memory

SHOP = Remembered(
    "zope",
    Path("/srv/shop/etc/zope.conf"),
    Path("/srv/shop/etc/zope.ini"),
    Path("/srv/shop"),
    (("config_file", "zope.conf"),),
    (("INSTANCE_HOME", "/srv/shop"),),
    "shop",
    "instance",
)
BLOG = Remembered("zope", Path("/srv/blog/\udce4.conf"), None, None, (), (), "blog", "instance")
DATA = Remembered("zeo", Path("/srv/data/etc/zeo.conf"), None, None, (), (), "shop", "data")


def test_what_is_saved_is_there_after_a_restart_in_order(tmp_path: Path) -> None:
    Memory(tmp_path / "s").save([SHOP, BLOG])
    Memory(tmp_path / "s").save([DATA])
    memory = Memory(tmp_path / "s")
    assert memory.load() == (SHOP, BLOG, DATA)
    assert memory.problem is None


def test_a_change_replaces_and_keeps_the_order(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "s")
    memory.save([SHOP, BLOG])
    memory.save([replace(SHOP, variables=())])
    assert memory.load() == (replace(SHOP, variables=()), BLOG)


def test_forgetting_is_by_name_or_site_and_tells_what_is_gone(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "s")
    memory.save([SHOP, BLOG, DATA])
    assert memory.forget("nothing") == ()
    assert memory.forget("data") == (DATA,)
    assert memory.forget("shop") == (SHOP,)
    assert memory.forget("instance") == (BLOG,)
    assert Memory(tmp_path / "s").load() == ()


FORGET = """
import sys
from pathlib import Path
from shutil import rmtree
from zope_exporter.discovery.memory import Memory
print(len(Memory(Path(sys.argv[1])).forget("shop")))
"""


def test_another_process_may_forget(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "s")
    memory.save([SHOP, BLOG])
    command = [sys.executable, "-c", FORGET, str(tmp_path / "s")]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout == "1\n"
    assert memory.load() == (BLOG,)


def test_without_a_directory_it_works_in_memory_and_says_what_is_lost(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    memory = open_memory(tmp_path / "file/state")
    memory.save([SHOP])
    assert memory.load() == (SHOP,)
    assert memory.problem is not None
    assert "forgets the services that have stopped" in memory.problem
    assert memory.forget("shop") == (SHOP,)
    assert memory.load() == ()


def test_a_damaged_file_costs_the_memory_only(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"rubbish" * 1000)
    memory = Memory(tmp_path / "s")
    assert memory.load() == ()
    assert memory.problem is not None
    assert "s.damaged, and what was remembered begins anew" in memory.problem
    memory.save([SHOP])
    assert memory.load() == (SHOP,)
    assert memory.problem is None


def test_a_row_that_makes_no_sense_is_a_problem(tmp_path: Path) -> None:
    Memory(tmp_path / "s").save([SHOP])
    with closing(sqlite3.connect(tmp_path / "s")) as state, state:
        state.execute("UPDATE services SET variables = 'nonsense'")
    memory = Memory(tmp_path / "s")
    assert memory.load() == ()
    assert memory.problem


def test_what_could_not_be_written_is_written_later(tmp_path: Path) -> None:
    (tmp_path / "later").touch()
    memory = Memory(tmp_path / "later/s")
    memory.save([SHOP, BLOG])
    memory.save([], [BLOG])
    assert memory.load() == (SHOP,)
    assert memory.problem
    (tmp_path / "later").unlink()
    memory.save([DATA])
    assert memory.problem is None
    assert Memory(tmp_path / "later/s").load() == (SHOP, DATA)


def test_what_is_remembered_outlives_the_removal_of_the_state_directory(tmp_path: Path) -> None:
    file = tmp_path / "state" / "s"
    memory = Memory(file)
    memory.save([SHOP, BLOG])
    assert memory.load() == (SHOP, BLOG)
    rmtree(file.parent)
    assert set(memory.load()) == {SHOP, BLOG}  # else nobody would miss a Zope that is down
    memory.save([])
    assert set(Memory(file).load()) == {SHOP, BLOG}
