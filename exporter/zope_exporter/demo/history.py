"""A Data.fs with a past: written by a process of its own, before Zope opens it.

Nothing but the dates is made up: real Zope objects in real transactions, of which many are
superseded or deleted, one is undone, and the older ones have been packed.
"""

import os
import sys
import time
from pathlib import Path

import transaction
from OFS.Application import Application
from OFS.DTMLMethod import DTMLMethod
from OFS.Folder import Folder
from OFS.Image import File
from persistent.TimeStamp import TimeStamp
from Products.PageTemplates.ZopePageTemplate import ZopePageTemplate
from ZODB.DB import DB
from ZODB.FileStorage import FileStorage

DAY = 86400.0
DAYS = 30
DAYS_KEPT = 15
PACKED_ON_DAY = 20
ITEMS_A_DAY = 30
EDITS_A_DAY = 36
HOME_PAGE = """<html><head><title>Intranet</title></head><body><h1>News</h1>
<p tal:repeat="day context/news/objectValues"><a tal:attributes="href day/absolute_url"
 tal:content="day/title">day</a></p></body></html>
"""
TEXT = "<p>Minutes of the meeting, revision {}: the canteen, the car park, the printers.</p>\n"


class DatedStorage(FileStorage):  # type: ignore[misc]  # ZODB is not typed
    """A FileStorage whose transactions bear the date `now`, which only ever grows."""

    now = 0.0

    def tpc_begin(self, txn: object, tid: bytes | None = None, status: str = " ") -> None:
        self.now += 0.001  # no two transactions may bear the same date
        stamp = TimeStamp(*time.gmtime(self.now)[:5], self.now % 60)
        super().tpc_begin(txn, tid or stamp.raw(), status)


def write_history(data_fs: Path, end: float) -> None:
    """Fill a new Data.fs with the `DAYS` days before `end` (seconds since the epoch)."""
    storage = DatedStorage(str(data_fs))
    storage.now = end - DAYS * DAY
    database = DB(storage)
    connection = database.open()
    connection.root()["Application"] = site = Application()
    _commit("/")
    site._setObject("index_html", ZopePageTemplate("index_html", HOME_PAGE))
    site._setObject("news", Folder("news"))
    _commit("/news")
    pause = DAY / (EDITS_A_DAY + 2)
    for day in range(DAYS):
        storage.now = end - (DAYS - day) * DAY + pause
        _publish(site.news, day)
        for edit in range(EDITS_A_DAY):
            storage.now += pause
            _revise(site.news, day, edit)
        if day >= DAYS_KEPT:
            site.news._delObject(f"day-{day - DAYS_KEPT}")
            _commit("/news/manage_delObjects")
        if day == PACKED_ON_DAY:
            database.pack(storage.now)
            os.utime(f"{data_fs}.old", (storage.now, storage.now))
    database.undo(database.undoLog(0, 1)[0]["id"])
    _commit("/news/manage_undo_transactions")
    connection.close()
    database.close()


def _publish(news: Folder, day: int) -> None:
    folder = Folder(f"day-{day}")
    folder.title = f"Day {day}"
    for number in range(ITEMS_A_DAY):
        text = TEXT.format(0) * (10 + number)
        folder._setObject(f"item-{number}", DTMLMethod(text, __name__=f"item-{number}"))
    folder._setObject("scan", File("scan", "Scan", os.urandom(20_000)))
    news._setObject(folder.id, folder)
    _commit(f"/news/{folder.id}")


def _revise(news: Folder, day: int, edit: int) -> None:
    path = f"day-{day}/item-{edit % ITEMS_A_DAY}"
    news.unrestrictedTraverse(path).munge(TEXT.format(edit + 1) * 30)
    _commit(f"/news/{path}/manage_edit")


def _commit(note: str) -> None:
    current = transaction.get()
    current.setUser("admin", "/acl_users")
    current.note(note)
    transaction.commit()


if __name__ == "__main__":
    write_history(Path(sys.argv[1]), time.time())
