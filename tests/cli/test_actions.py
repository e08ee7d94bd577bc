from pathlib import Path

import pytest

from tests.support.programs.exporter import zope_exporter


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("pack",), 3, "refused: no database was found (see zope-exporter check)"),
        (("backup", "intranet"), 3, "refused: no site is called intranet (none is known)"),
        (("verify", "--config.file", "missing.yml"), 2, "missing.yml: is missing"),
        (("pack", "--wait", "-1"), 2, "--wait"),
    ],
    ids=["pack", "backup", "missing", "wait"],
)
def test_what_cannot_be_done_is_said_with_an_exit_code_of_its_own(
    tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    config = tmp_path / "zope-exporter.yml"
    config.write_text("discover: false\n")
    run = zope_exporter(arguments[0], "--config.file", config, *arguments[1:], state_dir=tmp_path)
    assert (run.returncode, said in run.stderr) == (code, True), run.stderr


def test_the_exit_codes_are_in_the_help(tmp_path: Path) -> None:
    for action in ("pack", "backup", "verify"):
        text = " ".join(zope_exporter(action, "--help", state_dir=tmp_path).stdout.split())
        assert "3 when it was refused and nothing was changed, 4 when it was interrupted" in text
