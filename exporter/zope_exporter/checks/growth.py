"""What stands out of what has been written to a Data.fs, in words."""

from collections.abc import Iterator

from zope_exporter.storage.filestorage.class_names import OTHER
from zope_exporter.storage.filestorage.growth import Growth
from zope_exporter.system.humanize import size

# Less may be chance, or is not worth a word.
LEAST_SHARE = 0.1
LEAST_TRANSACTIONS = 10
VIEWS = 3

_SESSIONS = ("Products.Transience.", "Products.Sessions.", "beaker.", "collective.beaker.")
_CATALOGS = (
    *("Products.ZCatalog.", "Products.PluginIndexes.", "Products.ZCTextIndex."),
    *("Products.ExtendedPathIndex.", "Products.DateRecurringIndex.", "plone.app.discussion."),
    *("zope.catalog.", "zope.index.", "BTrees.I", "BTrees.L", "BTrees.OI", "BTrees.OL"),
)


def remarks(growth: Growth) -> Iterator[str]:
    """Yield what should be looked at first; `growth` is known by class and by view."""
    sessions, catalogs = _of(growth, _SESSIONS), _of(growth, _CATALOGS)
    if sessions >= LEAST_SHARE * growth.bytes > 0:
        yield (
            f"Sessions: {size(sessions)}. They belong in a temporary storage or outside of ZODB:"
            " each one that is begun or touched is a write."
        )
    if catalogs >= LEAST_SHARE * growth.bytes > 0:
        yield (
            f"Indexes, as a catalog has them: {size(catalogs)}. If more than was edited, something"
            " reindexes objects that have not changed."
        )
    views = [row for row in growth.rows("view") if row.key != OTHER]
    for row in [row for row in views if _stands_out(growth, row.bytes, row.transactions)][:VIEWS]:
        yield (
            f"A write at a read, it seems: {row.key} wrote {size(row.bytes)} in {row.transactions}"
            " transactions for visitors who had not logged in."
        )
    if growth.packed:
        yield (
            f"A pack has gone over {growth.packed} of the transactions since: what it removed is"
            " not counted."
        )


def _of(growth: Growth, beginnings: tuple[str, ...]) -> int:
    rows = growth.rows("class")
    return sum(row.bytes for row in rows if row.key.startswith(beginnings))


def _stands_out(growth: Growth, size: int, transactions: int) -> bool:
    most = max(size / growth.bytes, transactions / growth.transactions)
    return transactions >= LEAST_TRANSACTIONS and most >= LEAST_SHARE
