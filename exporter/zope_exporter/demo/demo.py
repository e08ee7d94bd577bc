"""The demo from its first line to its last: prepare, show, remove."""

import secrets
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import httpx

from zope_exporter.clients.agent.package import source as agent_source
from zope_exporter.config.schema import Config, InstanceConfig, SiteConfig
from zope_exporter.system.subprocesses import Child

from .instance import USER, DemoError, Instance, free_port, last_words, require, require_space
from .traffic import VISITORS, Traffic, Visitor

Echo = Callable[[str], None]

SPACE_NEEDED = 64 << 20
START_DEADLINE = 60.0
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Demo:
    """A Zope that answers and has visitors.

    All of it is in `top`; `state_dir` is where the exporter may write.
    """

    top: Path
    instance: Instance
    traffic: Traffic
    state_dir: Path
    pid: int


def run_demo(exporter_url: str, serve: Callable[[Config], None], echo: Echo) -> None:
    """Show the demo to a person: `serve(config)` runs the exporter until it is ended.

    The demo's Zope has the agent. Raises DemoError if the demo cannot start.
    """
    with demo_zope(echo, agent_source()) as demo:
        tell(demo, exporter_url, echo)
        echo("Ctrl-C ends it and removes everything.")
        # Not what else runs here: another Zope of that name would have it first.
        site = SiteConfig(name=demo.instance.home.name, instances=(watched(demo),))
        serve(Config(state_dir=demo.state_dir, discover=False, sites=(site,)))


def watched(demo: Demo) -> InstanceConfig:
    """Return the demo's Zope as a configuration has it."""
    home = demo.instance.home
    return InstanceConfig(zope_conf=home / "etc/zope.conf", wsgi_ini=demo.instance.zope_ini)


def tell(demo: Demo, exporter_url: str, echo: Echo) -> None:
    """Say where everything is."""
    echo("")
    echo(f"  Zope          {demo.instance.url}/manage")
    echo(f"                login {USER}, password {demo.instance.password}")
    echo(f"  metrics       {exporter_url}/metrics")
    echo(f"  status page   {exporter_url}/")
    echo("")


@contextmanager
def demo_zope(
    echo: Echo,
    products: Path | None = None,
    parent: Path | None = None,
    visitors: tuple[Visitor, ...] = VISITORS,
) -> Iterator[Demo]:
    """A Zope in a temporary directory (in `parent`), stopped and removed at the end.

    `products` is a directory of further Products packages for it.
    To be used in the main thread, where the first SIGINT, SIGTERM or SIGHUP raises SystemExit and
    the next ones do nothing until everything is gone. SIGKILL leaves no process, but the directory.
    Raises DemoError if Zope cannot be started.
    """
    with _ended_by_signals() as ending, ExitStack() as resources:
        try:
            demo = _prepare(resources, echo, ending, _Wanted(products, parent, visitors))
            ending.check()
            yield demo
        finally:
            ending.disregard_others()


@dataclass(frozen=True)
class _Wanted:
    products: Path | None
    parent: Path | None
    visitors: tuple[Visitor, ...]


class _Ending:
    """What ends the demo: as a handler of signals, raises SystemExit at the first of them."""

    def __init__(self) -> None:
        self._number: int | None = None

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        if self._number is None:
            self._number = number
            raise SystemExit(128 + number)

    def check(self) -> None:
        """Raise SystemExit if a signal has come.

        What a handler raises is lost where Python cannot pass it on: amid a finalizer, or the
        callback of a weak reference, of which an import has many.
        """
        if self._number is not None:
            raise SystemExit(128 + self._number)

    def disregard_others(self) -> None:
        """Let the tidying up come to its end, however impatient somebody gets.

        By handlers that do nothing: of a signal that is ignored while it is on its way, Python
        would complain to the person.
        """
        for number in SIGNALS:
            signal.signal(number, lambda *_: None)


def _prepare(resources: ExitStack, echo: Echo, ending: _Ending, wanted: _Wanted) -> Demo:
    require(("Zope", "Paste"))
    where = wanted.parent
    try:
        where = where or Path(tempfile.gettempdir())
        require_space(where, SPACE_NEEDED)
        top = tempfile.TemporaryDirectory(prefix="zope-exporter-demo-", dir=where)
        resources.callback(_farewell, echo, Path(top.name))
        resources.enter_context(top)
        return _start(resources, _checked(echo, ending), Path(top.name), wanted)
    except OSError as error:
        raise DemoError(f"the demo cannot be prepared in {where}: {error}") from error


def _start(resources: ExitStack, echo: Echo, top: Path, wanted: _Wanted) -> Demo:
    echo(f"Preparing a Zope in {top}")
    instance = Instance(top / "demo", top / "demo.log", free_port(), secrets.token_urlsafe(9))
    traffic = Traffic(instance, wanted.visitors)
    state_dir = top / "state"
    state_dir.mkdir()
    with _step(echo, "instance as mkwsgiinstance makes it"):
        instance.create()
    with _step(echo, "Data.fs with the transactions of a month"):
        instance.fill()
    resources.callback(traffic.stop)  # after Zope, so that no visitor waits for a slow answer
    with _step(echo, "start of Zope"):
        child = resources.enter_context(instance.start(wanted.products))
        _await_answer(instance, child)
    traffic.start()
    echo("  visitors: a few requests a second, some of them slow, refused or failing")
    return Demo(top, instance, traffic, state_dir, child.pid)


def _checked(echo: Echo, ending: _Ending) -> Echo:
    """Each line that is said is a step of the preparation, after which it may be ended."""

    def checked(line: str) -> None:
        ending.check()
        echo(line)

    return checked


def _farewell(echo: Echo, top: Path) -> None:
    with suppress(OSError):  # the terminal may be gone
        echo(f"{top} could not be removed." if top.exists() else f"Stopped, and removed {top}.")


@contextmanager
def _step(echo: Echo, what: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    echo(f"  {what}: {time.monotonic() - started:.1f} s")


def _await_answer(instance: Instance, child: Child) -> None:
    deadline = time.monotonic() + START_DEADLINE
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            httpx.get(instance.url, trust_env=False)
            return
        status = child.wait(0.1)
        if status is not None:
            raise DemoError(f"Zope ended with status {status}. {last_words(instance.log)}")
    raise DemoError(
        f"Zope did not answer within {START_DEADLINE:.0f} s. {last_words(instance.log)}"
    )


@contextmanager
def _ended_by_signals() -> Iterator[_Ending]:
    """Within, the first of `SIGNALS` raises SystemExit in the main thread, the others do nothing.

    A signal that is ignored already, as nohup does, stays ignored.
    """
    ending = _Ending()
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, ending)
    try:
        yield ending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
