"""Which alerts are about this exporter, where Alertmanager tells several of them the same."""

import socket
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection

MOST_NAMES = 16
LONGEST_NAME = 300  # characters: no host name is longer
_DEFAULT_PORTS = (":80", ":443")  # what a Host header leaves out


class OwnAlerts:
    """Knows the values of the label `instance` that stand for this exporter.

    Prometheus makes that label of the address it scrapes, which is the Host header of the scrape:
    so an exporter learns what it is called, whatever names, ports and containers lie between. Names
    that are `given` are the only ones.
    """

    def __init__(
        self, given: Collection[str] = (), hostname: Callable[[], str] = socket.gethostname
    ) -> None:
        self._given = {_plain(name) for name in given}
        self._hostname = hostname
        self._learned: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def scraped_as(self, host: str) -> None:
        """Learn a name; of many the latest are kept, so that no stranger crowds out Prometheus."""
        if not 0 < len(host) <= LONGEST_NAME:
            return
        with self._lock:
            self._learned[_plain(host)] = None
            self._learned.move_to_end(_plain(host))
            while len(self._learned) > MOST_NAMES:
                self._learned.popitem(last=False)

    @property
    def unknown(self) -> bool:
        """Whether nobody has called this exporter anything yet."""
        return not self._given and not self._learned

    def __contains__(self, instance: str) -> bool:
        """Tell whether an alert of this `instance` is ours; relabelling may have cut its port."""
        name = _plain(instance)
        if self._given:
            return name in self._given
        with self._lock:
            learned = set(self._learned)
        if name in learned:
            return True
        return name in {*map(_host, learned), *self._names_of_host()}

    def _names_of_host(self) -> set[str]:
        name = self._hostname().lower()
        return {name, name.partition(".")[0]}


def _plain(name: str) -> str:
    name = name.lower()
    for port in _DEFAULT_PORTS:
        name = name.removesuffix(port)
    return name


def _host(name: str) -> str:
    host, colon, port = name.rpartition(":")
    return host if colon and port.isdigit() else name
