import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.faults.odd_files import ODD
from tests.support.faults.rights import public_directory, unprivileged
from zope_exporter.discovery.conf.config_file import MAX_BYTES, ConfigFileError
from zope_exporter.discovery.conf.zconfig import MAX_DEPTH, Section, Unresolved, read

LINES = [
    b"%define NAME value",
    b"%define NAME",
    b"%define OTHER $NAME/$NAME$$",
    b"%include other.conf",
    b"%include self.conf",
    b"%include //[",
    b"%include $(NAME)",
    b"%import zc.zlibstorage",
    b"<section>",
    b"<section name>",
    b"</section>",
    b"<section/>",
    b"key $name $(HOME) ${name} $$ $",
    b"key",
    b"# comment",
    b"(",
]


def write(tmp_path: Path, text: str, name: str = "zope.conf") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def read_text(tmp_path: Path, text: str, **environ: str) -> tuple[Section, tuple[str, ...]]:
    return read(write(tmp_path, text), environ)


def test_keys_are_lower_case_but_those_of_the_environment(tmp_path: Path) -> None:
    top, problems = read_text(
        tmp_path, "Key a\nKEY b\n<Environment>\n  Mixed x\n</environment>\n<Other Name/>\n"
    )

    assert top.values == {"key": ("a", "b")}
    assert top.value("key") == "b"
    assert top.find("environment")[0].values == {"Mixed": ("x",)}
    assert [section.name for section in top.find("other")] == ["name"]
    assert problems == ()


def test_names_stand_for_what_was_defined_before(tmp_path: Path) -> None:
    top, problems = read_text(
        tmp_path,
        "%define Home /srv/$(USER_NAME)\nkey $HOME ${home}/x $$HOME\n",
        USER_NAME="zope",
        HOME="/home/zope",
    )

    assert top.value("key") == "/srv/zope /srv/zope/x $HOME"
    assert problems == ()


def test_the_exporters_own_environment_is_never_taken(tmp_path: Path) -> None:
    assert "PATH" in os.environ
    path = write(tmp_path, "%define DIR $(PATH)/b\nkey $DIR/c\nlone a$\nother $nobody\n")

    top, problems = read(path)

    assert top.value("key") == "$(PATH)/b/c"
    assert isinstance(top.value("key"), Unresolved)
    assert problems == (
        f"{path}, line 3: a $ without a name; write $$ for a dollar sign",
        f"{path}, line 4: a name after $ is not defined; add %define, or write $$",
        f"{path}: not seen in the environment of its process: PATH; "
        "set it where the process is started, or let the exporter's user see it",
    )


def test_included_files_continue_the_section_and_share_the_names(tmp_path: Path) -> None:
    inner = tmp_path / "conf.d"
    inner.mkdir()
    write(inner, "%define PORT 8080\n%include last%20one.conf\n", "first.conf")
    write(inner, "port $PORT\n", "last one.conf")
    path = write(tmp_path, "<server>\n%include conf.d/first.conf\n</server>\nport $PORT\n")

    top, problems = read(path)

    assert top.find("server")[0].value("port") == top.value("port") == "8080"
    assert top.files == (path, inner / "first.conf", inner / "last one.conf")
    assert (
        top.find("server")[0].where("port")
        == f"{inner / 'last one.conf'}, line 1: port in <server>"
    )
    assert problems == ()


@pytest.mark.parametrize("target", ["missing.conf", "http://127.0.0.1/x.conf", ".", "//["])
def test_what_cannot_be_included_does_not_hide_the_rest(tmp_path: Path, target: str) -> None:
    top, problems = read_text(tmp_path, f"%include {target}\nkey value\n")

    assert top.value("key") == "value"
    assert len(problems) == 1
    assert problems[0].startswith(f"{tmp_path / 'zope.conf'}, line 1: ")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<a>\n", "line 1: unclosed sections not allowed"),
        ("<a>\n</b>\n", "line 2: unbalanced section end"),
        ("</b>\n", "line 1: unexpected section end"),
        ("<a b c>\n", "line 1: malformed section header"),
        ("(tops3cret\n", "line 1: malformed configuration data"),
        ("%tops3cret x\n", "line 1: unknown directive"),
        ("%define a 1\n%define a 2\n", "line 2: cannot redefine"),
        ("%define tops3cret! 1\n", "line 1: not a substitution legal name"),
        ("%include zope.conf\n", "includes itself"),
        ("<a>\n" * (MAX_DEPTH + 1), f"sections nested deeper than {MAX_DEPTH}"),
        ("<a>\n" * 200_000, f"sections nested deeper than {MAX_DEPTH}"),
        ("k $" + "a" * 1_000_000 + "\n" + "k" * MAX_BYTES, "larger than"),
        ("a\0b\n", "not text"),
    ],
)
def test_errors_name_the_place_and_quote_nothing(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ConfigFileError) as caught:
        read_text(tmp_path, text)

    assert str(caught.value).startswith(f"{tmp_path / 'zope.conf'}: ")
    assert reason in str(caught.value)
    assert "tops3cret" not in str(caught.value)


def test_names_cannot_grow_without_end(tmp_path: Path) -> None:
    defines = ["%define a0 " + "x" * 1000]
    defines += [f"%define a{n} " + f"$a{n - 1}" * 100 for n in range(1, 10)]

    with pytest.raises(ConfigFileError, match="with all %include and %define"):
        read_text(tmp_path, "\n".join(defines))


def test_files_that_include_each_other_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "%include a.conf\n", "b.conf")

    with pytest.raises(ConfigFileError, match=r"a\.conf: includes itself"):
        read(write(tmp_path, "%include b.conf\n", "a.conf"))


def test_files_that_include_two_that_include_two_are_refused(tmp_path: Path) -> None:
    for n in range(20):
        write(tmp_path, f"%include {n + 1}.conf\n" * 2, f"{n}.conf")
    write(tmp_path, "key value\n", "20.conf")

    with pytest.raises(ConfigFileError, match="files are included"):
        read(tmp_path / "0.conf")


def test_latin_1_costs_its_own_line_only(tmp_path: Path) -> None:
    path = tmp_path / "zope.conf"
    path.write_bytes(b"key value\n# Gr\xf6\xdfe\nother value\n")

    top, problems = read(path)

    assert top.values == {"key": ("value",), "other": ("value",)}
    assert problems == (f"{path}, line 2: not UTF-8; save the file as UTF-8",)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigFileError, match=r"zope\.conf: No such file or directory; correct"):
        read(tmp_path / "zope.conf")


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigFileError, match="a directory, not a regular file"):
        read(tmp_path)


def test_a_fifo_without_a_writer_does_not_block(tmp_path: Path) -> None:
    fifo = tmp_path / "zope.conf"
    os.mkfifo(fifo)

    with pytest.raises(ConfigFileError, match="not a regular file"):
        read(fifo)


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_file_is_not_included_and_does_not_hide_the_rest(tmp_path: Path, kind: str) -> None:
    ODD[kind](tmp_path / "odd")
    top, problems = read_text(tmp_path, "%include odd\nkey value\n")
    assert top.value("key") == "value"
    (problem,) = problems
    assert f"line 1: cannot be included: {tmp_path / 'odd'}: " in problem


def test_thousands_of_includes_that_are_refused_end_soon(tmp_path: Path) -> None:
    """Each of them is a file to be opened and read, though none of it is used."""
    (tmp_path / "odd").write_bytes(b"\0" * MAX_BYTES)
    with pytest.raises(ConfigFileError, match="more than 50 files are included"):
        read_text(tmp_path, "%include odd\n" * 100_000)


def test_a_file_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "zope.conf"
    with path.open("wb") as file:
        file.truncate(10 * 1024**3)

    with pytest.raises(ConfigFileError, match=f"larger than {MAX_BYTES} bytes"):
        read(path)


def test_an_unreadable_file() -> None:
    refusal = r"Permission denied; .* let the exporter's user read"
    with public_directory() as directory:
        path = write(directory, "key value\n")
        path.chmod(0)
        with unprivileged(), pytest.raises(ConfigFileError, match=refusal):
            read(path)


@settings(deadline=None)
@given(
    data=st.binary(max_size=500)
    | st.lists(st.sampled_from(LINES) | st.binary(max_size=20), max_size=30).map(b"\n".join)
)
def test_any_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    directory = tmp_path_factory.getbasetemp() / "any"
    directory.mkdir(exist_ok=True)
    (directory / "self.conf").write_bytes(data)
    (directory / "other.conf").write_bytes(b"%define NAME other\nkey $NAME\n")
    try:
        top, problems = read(directory / "self.conf", {"NAME": "other.conf"})
    except ConfigFileError as error:
        problems = (str(error),)
    else:
        assert top.files[0] == directory / "self.conf"
    assert all(str(directory) in problem for problem in problems)
