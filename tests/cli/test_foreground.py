import io

import pytest

from zope_exporter.cli.foreground import Bar, Lines


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def shown(stream: io.StringIO) -> str:
    """What the terminal's last line shows."""
    return stream.getvalue().rsplit("\x1b[K", 1)[1]


def test_the_bar_shows_stage_share_and_time_left() -> None:
    stream, clock = io.StringIO(), Clock()
    bar = Bar(stream, clock)
    bar.stage("copying main", 200)
    assert shown(stream) == f"[{'-' * 30}]   0% copying main"
    clock.now += 60
    bar.advance(50)
    assert shown(stream) == f"[{'#' * 7}{'-' * 23}]  25% copying main, 3 min left"
    bar.advance(500)
    clock.now += 1
    bar.advance(0)
    assert "100%" in shown(stream)


def test_what_is_said_stays_and_the_bar_goes() -> None:
    stream = io.StringIO()
    bar = Bar(stream, Clock())
    bar.stage("looking")
    bar.say("found nothing")
    assert "found nothing\n" in stream.getvalue()
    assert shown(stream) == "looking"
    bar.end()
    assert shown(stream) == ""


def test_without_a_terminal_there_are_lines(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    lines.stage("copying", 5)
    lines.advance(3)
    lines.say("done")
    assert capsys.readouterr().err == "copying\ndone\n"
