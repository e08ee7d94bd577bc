"""The page in a real browser, in every state, without a request to anywhere else."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
from playwright.sync_api import Browser, Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.collectors.test_coverage import NO_AGENT, SERVER, TO_STDERR, coverage
from tests.collectors.test_coverage import seen as scraped
from tests.support.programs.browser import chromium, picture
from tests.support.web.server import serving
from tests.support.web.status import NOW, burning, healthy, inventory, observed, without
from zope_exporter.alerting.thresholds import read_limits
from zope_exporter.collectors.agent import instance as agent
from zope_exporter.collectors.coverage import Coverage
from zope_exporter.collectors.coverage.sources import SOURCES
from zope_exporter.discovery.inventory import Inventory
from zope_exporter.maintenance.jobs.job import Job, Paths, State, Task
from zope_exporter.maintenance.jobs.report import RefusedError
from zope_exporter.maintenance.plan import Answer, Plan
from zope_exporter.metrics.registry import Scrape
from zope_exporter.web.runbooks import Known, runbook_routes
from zope_exporter.web.status.pack_plan import plan_routes
from zope_exporter.web.status.page import STYLE, StatusPage, routes
from zope_exporter.web.status.page_model import compose
from zope_exporter.web.status.view import Offers, PageView

HOSTILE = "\"'><img src=x onerror=alert(1)><script>alert(1)<\\script>\u202e${7*7}"
TOKEN = "s3cret-token"
STEP = 30.0
# A Zope that logs to stderr and has no agent, and a ZEO server.
WATCHED = [
    *["yes", "yes", "yes", "yes", "NO", "NO", "-", "yes", "yes", "yes"],
    *["yes", "yes", "yes", "yes", "-", "yes", "-", "-", "yes", "yes"],
]


@dataclass
class Exporter:
    """Serves the page of what the test sets, and takes actions as the real one does."""

    url: str = ""
    found: Inventory = field(default_factory=inventory)
    scrapes: list[Scrape] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    later: float = 5.0
    coverage: Coverage | None = None
    refusal: str = ""
    logs: list[dict[str, str | None]] = field(default_factory=list)
    plan: Plan = field(default_factory=lambda: Plan((Answer("frees", "300 MB of 3 GB", {}),)))

    def offers(self) -> Offers:
        sites = self.found.sites
        of = [(site.name, storage.database) for site in sites for storage in site.storages]
        offered = {(action, *each) for action in ("pack", "backup", "verify") for each in of}
        return Offers(offered, with_event_log={site.name for site in sites})

    def view(self) -> PageView:
        seen = observed(self.found, self.scrapes, coverage=self.coverage)
        return compose(
            seen,
            read_limits(),
            lambda: self.jobs,
            self.offers,
            lambda: NOW + self.later,
        )

    async def act(self, request: Request) -> Response:
        if request.headers["authorization"] != f"Bearer {TOKEN}":
            return PlainTextResponse("no\n", 401)
        body = await request.json()
        self.asked.append((request.path_params["action"], body))
        if self.refusal:
            return JSONResponse({"error": self.refusal, "code": "cooldown"}, 409)
        self.jobs.insert(0, job(state="running"))
        return JSONResponse({"id": 8}, 202)

    async def errors(self, request: Request) -> Response:
        if request.headers["authorization"] != f"Bearer {TOKEN}":
            return PlainTextResponse("no\n", 401)
        return JSONResponse({"site": request.path_params["site"], "logs": self.logs})

    @property
    def app(self) -> Starlette:
        links = {"Metrics": "/metrics", "Runbooks": "/runbooks"}
        page = StatusPage(links, "web1.example.org", "/runbooks")
        act = Route("/api/v1/actions/{action}", self.act, methods=["POST"])
        errors = Route("/api/v1/sites/{site:path}/errors", self.errors)
        known = Known(lambda: self.found)
        pages = *routes(page, self.view, object), *runbook_routes(STYLE, known)
        plan = plan_routes(lambda *_: self.plan, self.offers)
        return Starlette(routes=[*pages, *plan, act, errors])


def job(state: State) -> Job:
    ended = NOW if state == "succeeded" else None
    task = Task("intranet", "main", "pack")
    times = NOW - 60, NOW - 50, ended
    return Job(8, task, "http", state, *times, "copying", 25, 100, (), "", "", {}, Paths())


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def exporter() -> Iterator[Exporter]:
    exporter = Exporter()
    exporter.scrapes = [healthy(exporter.found, NOW - back * STEP) for back in range(110, -1, -1)]
    with serving(exporter.app) as server:
        exporter.url = server.url
        yield exporter


@dataclass
class Visit:
    """A page, with all that the browser complained of and every address it asked for."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


Open = Callable[..., Visit]


@pytest.fixture
def visit(browser: Browser, exporter: Exporter) -> Iterator[Open]:
    """Open the page as somebody would; at the end, nothing may have gone wrong in the browser."""
    visits: list[Visit] = []

    def go(**options: object) -> Visit:
        page = browser.new_page(**options)  # type: ignore[arg-type]  # of many types
        seen = Visit(page)
        page.on("console", lambda message: seen.complaints.append(message.text))
        page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        page.on("dialog", lambda dialog: seen.complaints.append(f"dialog {dialog.message}"))
        page.on("request", lambda request: seen.requests.append(request.url))
        page.goto(exporter.url)
        visits.append(seen)
        return seen

    yield go
    for seen in visits:
        assert [text for text in seen.complaints if "401" not in text and "409" not in text] == []
        elsewhere = {url for url in seen.requests if not url.startswith(exporter.url)}
        assert elsewhere <= {"data:,"}
        seen.page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_healthy(visit: Open, scheme: str) -> None:
    page = visit(color_scheme=scheme).page
    expect(page).to_have_title("OK - web1.example.org - zope-exporter")
    expect(page.get_by_role("heading", name="intranet")).to_be_visible()
    expect(page.get_by_text("All that is watched of this site is OK.")).to_be_visible()
    expect(page.get_by_role("img", name="Requests in the last hour")).to_be_visible()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert dark == {"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"}[scheme]
    picture(page, f"healthy-{scheme}")


def test_burning(exporter: Exporter, visit: Open) -> None:
    exporter.scrapes.append(burning(exporter.found))
    page = visit().page
    expect(page).to_have_title("critical - web1.example.org - zope-exporter")
    expect(page.get_by_text("the file is damaged at 4711")).to_be_visible()
    expect(page.get_by_text("4 of 4 busy")).to_be_visible()
    picture(page, "burning")


def test_agent_missing(exporter: Exporter, visit: Open) -> None:
    missing = agent.THREADS, agent.BUSY, agent.RESPONSES
    exporter.scrapes = [without(scrape, *missing) for scrape in exporter.scrapes]
    page = visit().page
    expect(page.get_by_text("only the agent knows who is busy")).to_be_visible()
    expect(page.get_by_role("img", name="Busy workers")).to_have_count(0)
    picture(page, "agent-missing")


def test_what_is_watched(exporter: Exporter, visit: Open) -> None:
    site = replace(TO_STDERR, services=(*TO_STDERR.services, SERVER))
    exporter.found, exporter.coverage = Inventory((site,)), coverage(site)
    exporter.scrapes = [scraped(NO_AGENT)]
    page = visit().page
    table = page.get_by_role("table").filter(has_text="access log")
    names = [name.replace("_", " ") for name in SOURCES]
    assert table.get_by_role("columnheader").all_inner_texts() == names
    assert table.locator("tbody td").all_inner_texts() == WATCHED
    reason = "goes to no file that is followed"
    expect(
        page.get_by_role("listitem").filter(has_text=f"NO client1 access log: {reason}")
    ).to_be_visible()
    why_absent = page.get_by_role("listitem").filter(
        has_text="- client1 agent: no agent is installed"
    )
    expect(why_absent).not_to_be_visible()
    page.get_by_text("why it is not there").click()
    expect(why_absent).to_be_visible()
    picture(page, "watched")
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    picture(page, "watched-narrow")


def test_old_look(exporter: Exporter, visit: Open) -> None:
    exporter.later = 3600
    expect(visit().page.get_by_text("That is too long ago")).to_be_visible()


def test_first_look_under_way(exporter: Exporter, visit: Open) -> None:
    exporter.scrapes = []
    page = visit().page
    expect(page.get_by_text("The first look at this host is under way.")).to_be_visible()
    expect(page).to_have_title("unknown - web1.example.org - zope-exporter")


def test_a_job_is_asked_for_runs_and_ends(exporter: Exporter, visit: Open) -> None:
    page = visit().page
    page.get_by_role("button", name="pack…").click()
    dialog = page.get_by_role("dialog", name="Pack main of intranet?")
    expect(dialog.get_by_role("listitem")).to_have_text(["frees: 300 MB of 3 GB"])
    picture(page, "question")
    dialog.get_by_label("Token").fill(TOKEN)
    dialog.get_by_role("button", name="Pack", exact=True).click()
    expect(dialog.get_by_role("status")).to_contain_text("Accepted")
    expect(dialog.get_by_role("button", name="Pack", exact=True)).to_be_disabled()
    assert exporter.asked == [("pack", {"site": "intranet", "database": "main"})]
    dialog.get_by_role("button", name="Close").click()
    progress = page.get_by_role("progressbar", name="pack of main of intranet")
    expect(progress).to_have_attribute("value", "25.0")
    picture(page, "job-running")
    # The page comes by itself to how it ended.
    exporter.jobs = [job(state="succeeded")]
    expect(page.get_by_text("succeeded")).to_be_visible(timeout=20_000)
    expect(progress).to_have_count(0)


def test_wrong_token(exporter: Exporter, visit: Open) -> None:
    page = visit().page
    page.get_by_role("button", name="backup…").click()
    page.get_by_label("Token").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("This is not a valid token.")
    assert exporter.asked == []
    picture(page, "wrong-token")


def test_the_token_is_forgotten(visit: Open) -> None:
    page = visit().page
    page.get_by_role("button", name="verify…").click()
    page.get_by_label("Token").fill(TOKEN)
    with page.expect_navigation():
        page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert TOKEN not in page.content()
    assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]
    page.get_by_role("button", name="verify…").click()
    expect(page.get_by_label("Token")).to_have_value("")


def test_hostile_names_everywhere(exporter: Exporter, visit: Open) -> None:
    found = exporter.found = inventory(HOSTILE, HOSTILE)
    exporter.scrapes = [healthy(found, NOW - STEP), burning(found)]
    page = visit().page
    expect(page.get_by_role("heading", name=f"Database main{HOSTILE}")).to_be_visible()
    refusal = RefusedError("busy", HOSTILE, HOSTILE)
    exporter.plan = Plan((Answer("lock_held", HOSTILE, {}),), (refusal,))
    page.get_by_role("button", name="pack…").click()
    expect(page.locator("#question")).to_have_text(f"Pack main{HOSTILE} of {HOSTILE}?")
    expect(page.get_by_role("dialog").get_by_role("listitem")).to_have_text(
        [f"lock held: {HOSTILE}", f"refused: {refusal.advice}"]
    )
    expect(page.locator("img, main script")).to_have_count(0)
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Pack", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Accepted")
    assert exporter.asked == [("pack", {"site": HOSTILE, "database": f"main{HOSTILE}"})]
    picture(page, "hostile")


def test_a_narrow_screen_needs_no_sideways_scrolling(exporter: Exporter, visit: Open) -> None:
    exporter.scrapes.append(burning(exporter.found))
    page = visit(viewport={"width": 320, "height": 640}).page
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    picture(page, "narrow")


def test_without_javascript(exporter: Exporter, visit: Open) -> None:
    exporter.jobs = [job(state="running")]
    page = visit(java_script_enabled=False).page
    expect(page.get_by_text("answers in 20 ms")).to_be_visible()
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)
    refresh = page.locator("noscript meta").get_attribute("content")
    assert refresh == "5"


def test_by_keyboard_alone(visit: Open) -> None:
    page = visit().page
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.action") == "backup":
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    expect(page.get_by_label("Token")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_screen_reader_is_told_all(exporter: Exporter, visit: Open) -> None:
    exporter.scrapes.append(burning(exporter.found))
    page = visit().page
    names = json.loads(
        page.evaluate(
            "JSON.stringify([...document.querySelectorAll('svg')].map((e) => e.ariaLabel))"
        )
    )
    assert names
    assert all(names)
    levels = page.evaluate(
        "[...document.querySelectorAll('h1, h2, h3')].filter((e) => e.checkVisibility())"
        ".map((e) => Number(e.tagName[1]))"
    )
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_the_exporter_goes_away(exporter: Exporter, visit: Open) -> None:
    seen = visit()
    page = seen.page
    page.route("**/plan/**", lambda route: route.abort())
    page.get_by_role("button", name="pack…").click()
    expect(page.get_by_text("What a pack would do is not known: ")).to_be_visible()
    page.get_by_label("Token").fill(TOKEN)
    page.route("**/api/**", lambda route: route.abort())
    page.get_by_role("button", name="Pack", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("The exporter does not answer")
    seen.complaints[:] = [text for text in seen.complaints if "ERR_FAILED" not in text]
    assert exporter.asked == []


def test_a_refusal_is_in_words(exporter: Exporter, visit: Open) -> None:
    exporter.refusal = "the last backup began 3 min ago"
    page = visit().page
    page.get_by_role("button", name="backup…").click()
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Backup", exact=True).click()
    expect(page.get_by_role("status")).to_have_text("Refused: the last backup began 3 min ago.")
    expect(page.get_by_role("button", name="Backup", exact=True)).to_be_enabled()


def test_the_last_errors_are_for_who_holds_a_token(exporter: Exporter, visit: Open) -> None:
    found = exporter.found = inventory(HOSTILE)
    exporter.scrapes = [healthy(found)]
    record = f"2026-11-22 10:37:54 ERROR {HOSTILE}\nKeyError: {'x' * 500}"
    exporter.logs = [
        {"log": "event", "path": "/srv/zope/var/log/event.log", "record": record, "problem": ""},
        {"log": "odd", "path": "/srv/odd", "record": None, "problem": "a FIFO"},
    ]
    page = visit(viewport={"width": 320, "height": 640}).page
    page.get_by_role("button", name="last errors…").click()
    dialog = page.get_by_role("dialog", name=f"Last errors of {HOSTILE}")
    dialog.get_by_label("Token").fill("wrong")
    dialog.get_by_role("button", name="Show").click()
    expect(dialog.get_by_role("status")).to_have_text("This is not a valid token.")
    dialog.get_by_label("Token").fill(TOKEN)
    dialog.get_by_role("button", name="Show").click()
    expect(dialog.get_by_role("term")).to_have_text(["/srv/zope/var/log/event.log", "/srv/odd"])
    expect(dialog.get_by_role("definition")).to_have_text([record, "a FIFO"])
    dialog.locator("pre").focus()
    expect(dialog.locator("pre")).to_be_focused()
    expect(page.locator("img, main script")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    picture(page, "last-errors")
    with page.expect_navigation():
        page.keyboard.press("Escape")
    expect(page.locator("#errors pre")).to_have_count(0)


def test_many_sites_can_be_narrowed_and_stay_so(exporter: Exporter, visit: Open) -> None:
    found = [inventory(name).sites[0] for name in ("archive", "intranet", "shop")]
    exporter.found = Inventory(tuple(found))
    ill = burning(Inventory((found[1],)))
    well = [healthy(Inventory((site,))) for site in (found[0], found[2])]
    samples = [sample for each in (*well, ill) for sample in each.samples]
    exporter.scrapes = [Scrape(samples, ill.failures)]
    page = visit().page
    headings = page.get_by_role("heading", level=2).filter(visible=True)
    expect(headings).to_have_text(
        [re.compile("intranet"), re.compile("archive"), re.compile("shop")]
    )
    page.get_by_label("Show only sites with").fill("SHO")
    expect(headings).to_have_text([re.compile("shop")])
    page.reload()
    expect(headings).to_have_text([re.compile("shop")])
    expect(page.get_by_role("navigation", name="Sites").get_by_role("link")).to_have_count(1)
    picture(page, "narrowed")


def test_paper_shows_no_buttons(visit: Open) -> None:
    page = visit().page
    page.emulate_media(media="print")
    expect(page.get_by_role("button")).to_have_count(0)
    expect(page.get_by_text("answers in 20 ms")).to_be_visible()


def test_from_an_ill_site_to_its_runbook(exporter: Exporter, visit: Open) -> None:
    exporter.scrapes.append(burning(exporter.found))
    page = visit(viewport={"width": 320, "height": 640}).page
    page.get_by_role("link", name="Runbooks with the paths of this site").click()
    page.get_by_role("link", name="ZopeSiteDown", exact=True).click()
    block = page.locator("pre").first
    expect(block).to_contain_text("df -h /srv/zope/var")
    block.focus()
    expect(block).to_be_focused()
    expect(page.get_by_label("Show the commands for")).to_have_value("intranet")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    picture(page, "runbook")
