"""How a ping and a plain urllib get away from hostile targets, side by side.

Run as `python tests/bench/ping.py`, from anywhere.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.support.hostile.cases import CASES  # noqa: E402
from tests.support.hostile.server import HostileServer  # noqa: E402
from zope_exporter.discovery.inventory import Target  # noqa: E402

ROUNDS = 20
PING_TIMEOUT = 2.0
URLLIB_LIMIT = 5.0
NAMES_ONLY_OURS = {"no-such-name", "silent-dns", "tls-by-name"}  # made up inside our process
URLLIB = """
import sys, urllib.request
try:
    print(len(urllib.request.urlopen(sys.argv[1], timeout=2).read()), "bytes")
except Exception as error:
    print(type(error).__name__)
"""


def main() -> None:
    with HostileServer() as server, tempfile.TemporaryDirectory() as directory:
        authority = Path(directory) / "ca.pem"
        server.ca.cert_pem.write_to_path(str(authority))
        environment = {**os.environ, "SSL_CERT_FILE": str(authority)}
        targets = [case.target(server.ports, PING_TIMEOUT) for case in CASES]
        report = ping(targets, environment)
        with ThreadPoolExecutor(4) as pool:
            others = list(pool.map(lambda target: urllib(target, environment), targets))
    write(targets, report, others)


def ping(targets: list[Target], environment: dict[str, str]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.hostile.probe_rounds"],
        input=json.dumps({"targets": [asdict(target) for target in targets], "rounds": ROUNDS}),
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def urllib(target: Target, environment: dict[str, str]) -> str:
    if target.name in NAMES_ONLY_OURS:
        return "-"
    command = [sys.executable, "-c", URLLIB, target.url]
    started = time.monotonic()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
        try:
            outcome, _ = child.communicate(timeout=URLLIB_LIMIT)
        except subprocess.TimeoutExpired:
            status = Path(f"/proc/{child.pid}/status").read_text()
            (peak,) = (line.split()[1] for line in status.splitlines() if "VmHWM" in line)
            child.kill()
            return f"never, killed after {URLLIB_LIMIT:g} s with {int(peak) // 1024} MiB"
    return f"{time.monotonic() - started:.2f} s {outcome.strip()}"


def write(targets: list[Target], report: dict[str, Any], others: list[str]) -> None:
    rounds, states = report["rounds"], report["states"]
    row = "{:<22} {:>8} {:>9} {:<15} {}\n"
    sys.stdout.write(row.format("target", "timeout", "ping max", "found", "urllib, timeout=2"))
    overruns = []
    for target, other in zip(targets, others, strict=True):
        slowest = max(outcomes[target.name][1] for outcomes in rounds)
        found = {outcomes[target.name][0] or "up" for outcomes in rounds}
        overruns.append(slowest - target.timeout)
        sys.stdout.write(
            row.format(target.name, f"{target.timeout:g} s", f"{slowest:.3f} s", *found, other)
        )
    first, last = states[0], states[-1]
    sys.stdout.write(
        f"\n{len(targets)} targets at once, {len(rounds)} rounds: worst overrun"
        f" {max(overruns):.3f} s, RSS {first['rss_bytes'] / 1e6:.1f} MB before and"
        f" {last['rss_bytes'] / 1e6:.1f} MB after, {first['files']} and {last['files']} files,"
        f" {len(first['threads'])} and {len(last['threads'])} threads\n"
    )


if __name__ == "__main__":
    main()
