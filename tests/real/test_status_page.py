"""The status page as somebody uses it: a real exporter beside a real Zope, in a real browser."""

from collections.abc import Callable
from pathlib import Path

import yaml
from playwright.sync_api import Page, expect

from tests.support.programs.browser import chromium, picture
from tests.support.programs.exporter import Running, serving
from tests.support.programs.processes import eventually
from tests.support.zopes.environments import Environment
from tests.support.zopes.instances import ZopeInstance

TOKEN = "correct-horse-battery-staple"
PATIENCE = 60_000.0  # milliseconds


def configuration(zope: ZopeInstance, top: Path) -> Path:
    token_file = top / "token"
    token_file.touch(0o600)
    token_file.write_text(f"{TOKEN}\n")
    (top / "backup").mkdir()
    site = {
        "name": "shown",
        "instances": [{"zope_conf": str(zope.zope_conf), "wsgi_ini": str(zope.zope_ini)}],
        "backup": {"repository": str(top / "backup")},
    }
    actions = {"token_file": str(token_file)}
    config = top / "zope-exporter.yml"
    config.write_text(yaml.safe_dump({"discover": False, "sites": [site], "actions": actions}))
    return config


def ask_for_a_backup(page: Page, token: str) -> None:
    page.get_by_role("button", name="backup…").click()
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Backup", exact=True).click()


def test_a_backup_is_asked_for_by_hand_and_proven(
    zope63: Environment, start_zope: Callable[..., ZopeInstance], tmp_path: Path
) -> None:
    zope = start_zope(zope63, "shown")
    zope.site.commit(["news"])
    flags = ("--config.file", configuration(zope, tmp_path))

    def seen(exporter: Running) -> bool:
        return exporter.value("zope_process_up", site="shown", zope="shown") == 1

    with serving(tmp_path / "state", *flags, log=tmp_path / "log") as exporter:
        eventually(lambda: seen(exporter))
        with chromium() as browser:
            page = browser.new_page()
            page.goto(exporter.url)
            expect(page.get_by_role("heading", name="shown", level=2)).to_be_visible()
            expect(page.get_by_text("there is none yet")).to_be_visible()
            ask_for_a_backup(page, "a guess")
            expect(page.get_by_role("status")).to_have_text("This is not a valid token.")
            page.get_by_label("Token").fill(TOKEN)
            page.get_by_role("button", name="Backup", exact=True).click()
            expect(page.get_by_role("status")).to_contain_text("Accepted")
            page.get_by_role("button", name="Close").click()
            expect(page.get_by_text("backup of main of shown")).to_be_visible()
            expect(page.get_by_text("succeeded")).to_be_visible(timeout=PATIENCE)
            exporter.page()  # what Prometheus asks for, the page shows
            page.reload()
            expect(page.get_by_text("covers everything")).to_be_visible(timeout=PATIENCE)
            picture(page, "real")
        assert TOKEN not in (tmp_path / "log").read_text()
    assert list((tmp_path / "backup").glob("*.fs"))
