"""A web server as a process of its own: prints its address, serves until a signal, says so.

The argument is how many series it has; with `held` its collector answers once a line was read.
"""

import logging
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.support.web.server import Held, Steady, app_of
from zope_exporter.web.listen import listen
from zope_exporter.web.server import Server


def _held() -> Held:
    collector = Held()

    def release() -> None:
        if sys.stdin.readline():
            collector.release.set()

    threading.Thread(target=release, daemon=True).start()
    return collector


def main(series: str) -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    collector = _held() if series == "held" else Steady(int(series))
    with listen("127.0.0.1:0") as listener:
        server = Server(app_of(collector), [listener])
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        server.run()
    sys.stdout.write("ended well\n")


main(sys.argv[1])
