"""Packs that the agent begins, each in a thread of its own."""

from types import SimpleNamespace
from typing import NoReturn

import pytest
from Products.ZopeExporterAgent.packs import Packs

from tests.support.programs.processes import eventually


@pytest.mark.parametrize("error", [SystemExit(0), GeneratorExit(), MemoryError(), OSError("full")])
def test_whatever_a_pack_dies_of_it_has_ended_and_another_may_begin(error: BaseException) -> None:
    def pack(days: float) -> NoReturn:
        assert days == 3
        raise error

    database = SimpleNamespace(storage=SimpleNamespace(), pack=pack)
    packs = Packs()
    for number in (1, 2):
        assert packs.start("main", database, 3) == number
        eventually(lambda: not packs.status()["main"]["running"], 10)
        ended = packs.status()["main"]
        assert type(error).__name__ in ended["error"]
        assert ended["end"] >= ended["start"]
