import os
from pathlib import Path

import pytest

from tests.support.logs.line_counter import Lines
from zope_exporter.logs.tail.file import ContentChangedError, open_log
from zope_exporter.logs.tail.line_reader import LineReader, beginning


@pytest.mark.parametrize("seen", [3, 5000])
def test_truncated_and_regrown_between_the_look_and_the_read(tmp_path: Path, seen: int) -> None:
    path = tmp_path / "Z4.log"
    path.write_text("x" * (seen - 1) + "\n")
    counter, file = Lines(), open_log(path)
    reader = LineReader(file, beginning(file), 0)
    reader.read(counter, 1 << 20)
    assert reader.holds()
    os.truncate(path, 0)
    path.write_text("y" * 2 * seen + "\nnew\n")
    with pytest.raises(ContentChangedError, match=f"{path} was truncated"):
        reader.read(counter, 1 << 20)
    file.close()
    assert len(counter.lines) == 1
