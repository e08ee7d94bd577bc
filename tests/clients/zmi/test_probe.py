"""A visit to a ZMI as a whole, of pages as real Zopes give them."""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.clients.zmi.test_pages import page
from zope_exporter.clients.zmi.pages import Caches
from zope_exporter.clients.zmi.probe import ZmiProber, ZmiResult, ZmiTarget
from zope_exporter.discovery.inventory import Process, ZmiLogin

PATIENCE = 20.0
PID = 9982
DATABASE = "/Control_Panel/Database/{}/manage_main"


@contextmanager
def serving(pages: Mapping[str, str]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = pages.get(self.path)
            body = (found or "").encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (its name there)
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def probe(
    tmp_path: Path,
    pages: Mapping[str, str],
    *databases: str,
    process: Process | None = None,
    proc: Path = Path("/proc"),
) -> ZmiResult:
    (tmp_path / "password").write_text("secret")
    with serving(pages) as url:
        login = ZmiLogin(url, "admin", tmp_path / "password")
        known = (process,) if process else ()
        return ZmiProber(PATIENCE, proc).probe(ZmiTarget(login, databases, known))


PAGES = {
    "/Control_Panel/manage_main": page("zope63-panel"),
    DATABASE.format("main"): page("zope63-database"),
}
OLD_PAGES = {
    "/Control_Panel/manage_main": page("zope213-panel"),
    "/Control_Panel/Database/main/manage_cacheParameters": page("zope213-database"),
}


@pytest.mark.parametrize(
    ("pages", "version", "caches"),
    [
        (PAGES, "6.3.0", Caches(10, 0, 5000, 0)),
        (OLD_PAGES, "2.13.30", Caches(18, 0, 5000, 0)),
    ],
    ids=["zope63", "zope213"],
)
def test_a_zope(tmp_path: Path, pages: Mapping[str, str], version: str, caches: Caches) -> None:
    result = probe(tmp_path, pages, "main")
    assert result.problem == ""
    assert result.panel is not None
    assert result.panel.zope_version == version
    assert result.caches == {"main": caches}


def test_what_was_read_before_a_page_that_fails_is_kept(tmp_path: Path) -> None:
    result = probe(tmp_path, PAGES, "main", "missing", "never asked")
    assert result.panel is not None
    assert list(result.caches) == ["main"]
    assert result.problem.endswith("(Control_Panel/Database/missing/manage_main)")


@pytest.mark.parametrize(
    ("pid", "spaces", "is_same"),
    [
        (PID, None, True),
        (77, f"{77}\t{PID}", True),
        (77, "77", False),
        (77, None, False),
        (77, "rubbish", False),
    ],
    ids=["same", "in a container", "another", "gone", "odd"],
)
def test_the_pages_of_another_process_are_not_believed(
    tmp_path: Path, pid: int, spaces: str | None, is_same: bool
) -> None:
    if spaces is not None:
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "status").write_text(f"Name:\tpython\nNSpid:\t{spaces}\n")
    result = probe(tmp_path, PAGES, "main", process=Process(pid, 1.0), proc=tmp_path)
    assert (result.panel is not None) == is_same
    assert bool(result.caches) == is_same
    assert ("is that of process 9982, not of 77" in result.problem) == (not is_same)


def test_our_own_process_has_its_numbers(tmp_path: Path) -> None:
    me = str(os.getpid())
    pages = {"/Control_Panel/manage_main": page("zope63-panel").replace(str(PID), me)}
    assert probe(tmp_path, pages, process=Process(os.getpid(), 1.0)).problem == ""
