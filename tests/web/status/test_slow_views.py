"""What the page says of the views that take the time of a site's requests."""

from collections.abc import Mapping

from tests.support.web.status import NOW, healthy, inventory, observed
from tests.web.status.test_page import HOSTILE, Tags
from zope_exporter.alerting.thresholds import read_limits
from zope_exporter.clients.agent.views import Sums
from zope_exporter.web.status.page import StatusPage
from zope_exporter.web.status.page_model import compose
from zope_exporter.web.status.view import Offers, PageView, SlowView


def page(views: Mapping[str, Sums]) -> PageView:
    seen = observed(
        inventory(),
        [healthy(inventory())],
        views=lambda site: views if site == "intranet" else {},
    )
    return compose(seen, read_limits(), list, Offers, lambda: NOW)


def test_the_slow_view_comes_first_and_the_rest_is_one() -> None:
    views = {f"pkg.Small/{number:02}": Sums(1, 0.5) for number in range(15)}
    report = Sums(requests=4, seconds=90.0, loads=4000)
    other = Sums(requests=9, seconds=2.5)
    rows = page({"other": other, **views, "pkg.Report/report": report}).sites[0].slow
    assert rows[0] == SlowView("pkg.Report/report", "90.0 s", "90%", "4", "22.5 s", "1000", "")
    assert [row.name for row in rows[1:-1]] == [f"pkg.Small/{number:02}" for number in range(9)]
    assert rows[-1] == SlowView("other", "5.5 s", "6%", "15", "367 ms", "0", "")


def test_the_time_of_loads_is_shown_where_it_is_known() -> None:
    plain, timed = Sums(1, 1.0, 5), Sums(2, 3.0, 5, load_seconds=1.0)
    known = page({"pkg.Report/report": timed, "pkg.Small/small": plain})
    assert [row.load_time for row in known.sites[0].slow[:2]] == ["500 ms", ""]
    html = StatusPage({})
    assert "load time each" in html.render(known)
    assert "<td>unknown</td>" in html.render(known)
    assert "load time each" not in html.render(page({"pkg.Small/small": plain}))


def test_without_an_agent_nothing_is_said() -> None:
    assert page({}).sites[0].slow == ()
    assert "Slow views" not in StatusPage({}).render(page({}))


def test_names_stay_text() -> None:
    html = StatusPage({})
    tags = [tag for tag, _ in Tags(html.render(page({"pkg.View/view": Sums(1, 1.0)}))).found]
    hostile = html.render(page({HOSTILE: Sums(1, 1.0)}))
    assert [tag for tag, _ in Tags(hostile).found] == tags
    assert "<script>alert" not in hostile
