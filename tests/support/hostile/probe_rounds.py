"""Probes targets again and again, and says what that left behind.

A program: reads {"targets": [...], "rounds": n} in JSON from standard input, writes JSON.
"""

import json
import sys
import threading
from pathlib import Path
from typing import Any

from tests.support.hostile.names import Names
from zope_exporter.clients.http.probe import Prober
from zope_exporter.clients.http.resolve import Resolver
from zope_exporter.collectors.ping import DURATION, FAILURE, PingCollector
from zope_exporter.discovery.inventory import Inventory, Site, Target
from zope_exporter.metrics.metric import Sample
from zope_exporter.metrics.registry import Registry

WARM_UP_ROUNDS = 2  # imports, buffers and the allocator's arenas


def main() -> None:
    order = json.load(sys.stdin)
    targets = tuple(Target(**target) for target in order["targets"])
    inventory = Inventory((Site("site", targets=targets),))
    prober = Prober(Resolver(Names().getaddrinfo))
    registry = Registry([PingCollector(lambda: inventory, prober.probe)])
    states = []
    rounds = []
    for _ in range(WARM_UP_ROUNDS + order["rounds"]):
        rounds.append(_outcomes(registry.scrape(120).samples))
        states.append(_state())
    report = {"rounds": rounds[WARM_UP_ROUNDS:], "states": states[WARM_UP_ROUNDS - 1 :]}
    json.dump(report, sys.stdout)


def _outcomes(samples: list[Sample]) -> dict[str, Any]:
    """Return of each target why it failed ("" if up) and how long it took."""
    seconds = {s.labels[1]: s.value for s in samples if s.metric == DURATION}
    reasons = {s.labels[1]: s.labels[2] for s in samples if s.metric == FAILURE and s.value}
    return {name: (reasons.get(name, ""), seconds[name]) for name in seconds}


def _state() -> dict[str, Any]:
    status = Path("/proc/self/status").read_text()
    (rss,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    return {
        "rss_bytes": int(rss) * 1024,
        "files": len(list(Path("/proc/self/fd").iterdir())),
        "threads": sorted(thread.name for thread in threading.enumerate()),
    }


if __name__ == "__main__":
    main()
