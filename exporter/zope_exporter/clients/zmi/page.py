"""The pages of the ZMI that are visited. There are no others, and never one with a query.

What looks useful beside them does harm: cache_detail, cache_extreme_detail and DebugInfo walk all
objects; ZODBConnections changes and prints the requests of other threads, with their cookies and
passwords; on Zope 2 a GET of manage_minimize empties the caches. Even these pages ask for the size
of the storage, which is cheap for files and ZEO, but a query for databases in SQL.
"""

from enum import Enum
from urllib.parse import quote

from .errors import ZmiError


class Page(Enum):
    PANEL = "Control_Panel/manage_main"
    DATABASE = "Control_Panel/Database/{}/manage_main"
    CACHE_PARAMETERS = "Control_Panel/Database/{}/manage_cacheParameters"
    """What DATABASE lacks on Zope 2."""

    def path(self, database: str = "") -> str:
        """The path below the root of Zope; raises ZmiError for a name that would lead elsewhere."""
        if database in (".", ".."):
            raise ZmiError(f"the ZMI cannot show a database called {database}")
        return self.value.format(quote(database, safe=""))
