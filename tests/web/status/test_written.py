"""What the page says of what is written to a database."""

from pathlib import Path

from tests.support.web.status import HOUR, NOW, healthy, inventory, observed
from tests.web.status.test_page import HOSTILE, Tags
from zope_exporter.alerting.thresholds import read_limits
from zope_exporter.storage.filestorage.commits import Commit
from zope_exporter.storage.filestorage.format import Transaction, tid_at
from zope_exporter.storage.filestorage.growth import Growth
from zope_exporter.storage.filestorage.growth_hours import GrowthHours
from zope_exporter.web.status.page import StatusPage
from zope_exporter.web.status.page_model import compose
from zope_exporter.web.status.view import Offers, PageView
from zope_exporter.web.status.written import Since

DAY = 24 * HOUR


def since(*written: tuple[float, int, str, str]) -> Since:
    """By transactions of an age, a size, a class and a path each, the oldest first."""
    hours = GrowthHours()
    for age, size, name, path in written:
        transaction = Transaction(tid_at(NOW - age), b" ", 0, 62, size)
        hours.add(Commit(transaction, {name: [size - 70, 1]}, "secret-user", path))

    def growth(data_fs: Path, time: float) -> Growth | None:
        assert data_fs == Path("/srv/zope/var/Data.fs")
        return hours.since(time)

    return growth


def page(written: Since) -> PageView:
    seen = observed(inventory(), [healthy(inventory())], written=written)
    return compose(seen, read_limits(), list, Offers, lambda: NOW)


def test_who_writes_most_of_late_is_named() -> None:
    week = [(6 * DAY, 10_000 - number, f"m.Old{number}", "/old") for number in range(9)]
    view = page(
        since(
            *week,
            (20 * HOUR, 5000, "m.Item", "/import"),
            (60, 1000, "m.Counter", "/count"),
            (60, 500, "m.Session", "/count"),
        )
    )
    [written] = view.sites[0].written
    assert written.database == "main"
    assert written.sizes == ("1.5 kB", "6.5 kB", "96.5 kB")
    assert [(row.name, *row.sizes) for row in written.paths] == [
        ("/import", "0 B", "5 kB", "5 kB"),
        ("/count", "1.5 kB", "1.5 kB", "1.5 kB"),
        ("/old", "0 B", "0 B", "90 kB"),
    ]
    classes = [row.name for row in written.classes]
    assert classes == ["m.Item", "m.Counter", "m.Session", "m.Old0", "m.Old1", "m.Old2"]


def test_what_stands_out_in_the_last_day_is_said() -> None:
    sessions = (60, 1000, "Products.Transience.Transience.TransientObject", "/")
    [written] = page(since(sessions)).sites[0].written
    assert [remark.partition(":")[0] for remark in written.remarks] == ["Sessions"]


def test_where_nothing_is_known_or_was_written_nothing_is_said() -> None:
    for written in (lambda *_: None, since(), since((9 * DAY, 100, "m.Item", "/old"))):
        assert page(written).sites[0].written == ()


def test_names_stay_text_and_users_are_not_shown() -> None:
    html = StatusPage({})
    tags = [tag for tag, _ in Tags(html.render(page(since((60, 100, "m.Item", "/edit"))))).found]
    hostile = html.render(page(since((60, 100, HOSTILE, f"/{HOSTILE}"))))
    assert [tag for tag, _ in Tags(hostile).found] == tags
    assert "<script>alert" not in hostile
    assert "{{7*7}}" in hostile
    assert "secret-user" not in hostile
