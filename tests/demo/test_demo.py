import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest
from ZODB.FileStorage import FileStorage

from tests.support.programs.processes import eventually, is_gone
from zope_exporter.demo.demo import Demo, demo_zope
from zope_exporter.demo.instance import USER, DemoError, free_port


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a Products package that says that Zope has initialised it."""
    directory = tmp_path_factory.mktemp("products")
    package = directory / "Products"
    (package / "Told").mkdir(parents=True)
    (package / "__init__.py").write_text(
        "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
    )
    (package / "Told/__init__.py").write_text(
        "def initialize(context):\n"
        "    import os\n"
        "    open(os.path.join(os.environ['INSTANCE_HOME'], 'told'), 'w').close()\n"
    )
    return directory


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, products: Path) -> Iterator[Demo]:
    with demo_zope(lambda _: None, products, tmp_path_factory.mktemp("demo")) as demo:
        yield demo


def test_visitors_get_good_and_bad_answers(demo: Demo) -> None:
    wanted = {200, 401, 404, 500}
    with demo.traffic.answered:
        assert demo.traffic.answered.wait_for(lambda: wanted <= demo.traffic.answers.keys(), 60)


def test_visitors_write(demo: Demo) -> None:
    def transactions() -> int:
        storage = FileStorage(str(demo.instance.data_fs), read_only=True)
        try:
            return sum(1 for _ in storage.iterator())
        finally:
            storage.close()

    before = transactions()
    assert before > 500
    assert eventually(lambda: transactions() > before)


def test_the_logs_are_the_shipped_ones_with_warnings_and_errors(demo: Demo) -> None:
    logs = demo.instance.home / "var/log"
    assert eventually(lambda: '"GET /manage_main HTTP/1.1" 401' in (logs / "Z4.log").read_text())
    assert eventually(lambda: " ERROR [" in (logs / "event.log").read_text(), 60)
    assert eventually(lambda: " WARNING [" in (logs / "event.log").read_text(), 60)


def test_the_login_that_is_shown_works_and_no_file_has_it(demo: Demo) -> None:
    page = f"{demo.instance.url}/manage_main"
    assert httpx.get(page, auth=(USER, "guessed")).status_code == 401
    assert httpx.get(page, auth=(USER, demo.instance.password)).status_code == 200
    password = demo.instance.password.encode()
    files = [path for path in demo.instance.home.parent.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if password in path.read_bytes()]


def test_zope_runs_as_on_any_host_and_listens_on_loopback_only(demo: Demo) -> None:
    process = psutil.Process(demo.pid)
    assert Path(process.cmdline()[1]).name == "runwsgi"
    assert process.cmdline()[2] == str(demo.instance.zope_ini)
    assert (demo.instance.home / "var/Z4.pid").read_text() == str(demo.pid)
    listening = [c.laddr for c in process.net_connections() if c.status == psutil.CONN_LISTEN]
    assert listening == [("127.0.0.1", demo.instance.port)]


def test_further_products_are_initialised(demo: Demo) -> None:
    assert (demo.instance.home / "told").exists()


def test_leaving_leaves_nothing(tmp_path: Path) -> None:
    said: list[str] = []
    with demo_zope(said.append, parent=tmp_path) as demo:
        assert demo.state_dir.is_dir()
    assert is_gone(demo.pid)
    assert list(tmp_path.iterdir()) == []
    assert said[-1] == f"Stopped, and removed {demo.instance.home.parent}."


def test_a_zope_that_dies_at_its_start_shows_its_last_words(tmp_path: Path) -> None:
    broken = tmp_path / "broken/Products/Broken/__init__.py"
    broken.parent.mkdir(parents=True)
    broken.write_text("raise RuntimeError('this product is broken')\n")
    demos = tmp_path / "demos"
    demos.mkdir()
    with pytest.raises(DemoError) as caught, demo_zope(lambda _: None, tmp_path / "broken", demos):
        pass
    first, *rest = str(caught.value).splitlines()
    kept = Path(first.rpartition(" kept in ")[2].rstrip(":"))
    assert "Zope ended with status 1" in first
    assert "RuntimeError: this product is broken" in rest[-1]
    assert rest[-1] in kept.read_text()
    kept.unlink()
    assert list(demos.iterdir()) == []


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    with (
        pytest.raises(DemoError, match=f"cannot be prepared in {nowhere}: .*No such file"),
        demo_zope(lambda _: None, parent=nowhere),
    ):
        pass


@contextmanager
def a_persons_demo(directory: Path, *flags: str) -> Iterator[subprocess.Popen[str]]:
    """A process that runs the whole demo, in a shell set up for a Zope of its own."""
    flags = flags or ("--web.listen-address", f"127.0.0.1:{free_port()}")
    env = {**os.environ, "TMPDIR": str(directory), "ZOPE_CONFIG": str(directory / "own.conf")}
    # Run by nohup, or in the background, the tests have it ignore what a person sends.
    heeding = ["env", "--default-signal=HUP,INT,TERM"]
    command = [*heeding, sys.executable, "-u", "-m", "zope_exporter", "demo", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], words: str) -> None:
    assert process.stdout is not None
    assert any(words in line for line in process.stdout), f"never said {words!r}"


def metrics_url(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return next(line.split()[-1] for line in process.stdout if " metrics " in line)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False, timeout=30).is_success
    except httpx.TransportError:
        return False


def children(process: subprocess.Popen[str]) -> list[int]:
    return [child.pid for child in psutil.Process(process.pid).children(recursive=True)]


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 0), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_it_and_leaves_nothing(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    with a_persons_demo(tmp_path) as process:
        metrics = metrics_url(process)
        read_until(process, "Ctrl-C ends it")
        [zope] = children(process)
        # Only then is it the server that the signal ends, and in good order.
        assert eventually(lambda: answers(metrics))
        process.send_signal(number)
        read_until(process, "Stopped, and removed")
        assert process.wait(30) == status
        assert is_gone(zope)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", ["Preparing a Zope", "instance as", "Data.fs with"])
def test_a_signal_in_the_middle_of_the_preparation_does_too(tmp_path: Path, step: str) -> None:
    with a_persons_demo(tmp_path) as process:
        read_until(process, step)
        running = eventually(lambda: children(process))
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)  # impatience
        assert process.wait(30) in (128 + signal.SIGTERM, 128 + signal.SIGINT)
        assert eventually(lambda: all(is_gone(pid) for pid in running))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("step", ["Preparing a Zope", "instance as", "Data.fs with", "visitors"])
def test_a_signal_that_comes_amid_a_finalizer_does_too(tmp_path: Path, step: str) -> None:
    class Finalized:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGTERM)

    def say(line: str) -> None:
        if step in line:
            Finalized()

    with pytest.raises(SystemExit) as ended, demo_zope(say, parent=tmp_path) as demo:
        pytest.fail(f"goes on with {demo.top}")
    assert ended.value.code == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", ["Preparing a Zope", "instance as", "Ctrl-C ends it"])
def test_a_kill_leaves_no_process(tmp_path: Path, step: str) -> None:
    with a_persons_demo(tmp_path) as process:
        read_until(process, step)
        running = eventually(lambda: children(process))
        process.kill()
        process.wait(30)
    assert eventually(lambda: all(is_gone(pid) for pid in running))


def test_the_exporter_watches_the_demo_and_the_person_is_told_where_to_look(tmp_path: Path) -> None:
    with a_persons_demo(tmp_path) as process:
        metrics = metrics_url(process)
        read_until(process, "Ctrl-C ends it")

        def watched() -> bool:
            page = httpx.get(metrics, trust_env=False, timeout=30).text
            of_agent = 'zope_agent_up{site="demo",zope="demo"} 1.0' in page
            return 'zope_process_up{site="demo",zope="demo"} 1.0' in page and of_agent

        assert eventually(watched)
        process.send_signal(signal.SIGTERM)
