"""Programs that count the requests of an access log, and how to read what they found."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.support.programs.debian import tool

OURS = """
import json, os, sys
from zope_exporter.logs.access.counter import AccessCounter
counter = AccessCounter()
log = os.open(sys.argv[1], os.O_RDONLY)
place = 0
while end := (block := os.pread(log, 1 << 20, place)).rfind(b"\\n") + 1:
    counter.feed(block[:end])
    place += end
print(json.dumps(counter.save()))
"""
MTAIL = r"""
counter requests by method, code
counter response_bytes
const DATE /\[\d{2}\/\w{3}\/\d{4}:\d{2}:\d{2}:\d{2} [+-]\d{4}\] /
// + DATE + /"(?P<method>[A-Z]+) \S+ \S+" (?P<code>\d{3}) (?P<size>\d+|-)/ {
  requests[$method][$code]++
  $size != "-" {
    response_bytes += int($size)
  }
}
"""
MAWK = r"""
{ split($2, request, " "); split($3, answer, " ")
  n[request[1] " " answer[1]]++; if (answer[2] != "-") bytes += answer[2] }
END { for (kind in n) printf "%s %d\n", kind, n[kind]; printf "bytes %.0f\n", bytes }
"""
PANELS = (
    "VISITORS REQUESTS REQUESTS_STATIC NOT_FOUND HOSTS OS BROWSERS VISIT_TIMES VIRTUAL_HOSTS"
    " REFERRERS REFERRING_SITES KEYPHRASES GEO_LOCATION REMOTE_USER CACHE_STATUS MIME_TYPE TLS_TYPE"
)


class Result(NamedTuple):
    requests: dict[str, int]  # by method and code, or by code only
    response_bytes: int | None


class Contestant(NamedTuple):
    name: str
    command: list[str]
    read: Callable[[str], Result]


def contestants(log: Path, scratch: Path, combined: bool) -> list[Contestant]:
    (scratch / "mtail").mkdir()
    (scratch / "mtail/access.mtail").write_text(MTAIL)
    local = ["--address", "127.0.0.1", "--port", "0", "--log_dir", str(scratch)]
    once = ["--one_shot", "--one_shot_format=json", "--progs", f"{scratch}/mtail", *local]
    form = f"--log-format={'COMBINED' if combined else 'COMMON'}"
    quick = ["--no-query-string", "--no-progress"]
    quick += [f"--ignore-panel={panel}" for panel in PANELS.split()]
    report = ["--no-global-config", form, "-o", f"{scratch}/goaccess.json"]

    def read_report(_: str) -> Result:
        return _read_goaccess((scratch / "goaccess.json").read_text())

    path = str(log)
    return [
        Contestant("zope-exporter", [sys.executable, "-c", OURS, path], _read_ours),
        Contestant("mtail", [str(tool("mtail")), *once, "--logs", path], _read_mtail),
        Contestant("goaccess", [str(tool("goaccess")), path, *report, *quick], read_report),
        Contestant("mawk", [str(tool("mawk")), "-F", '"', MAWK, path], _read_mawk),
        Contestant("wc -l", ["wc", "-l", path], lambda _: Result({}, None)),
    ]


def _read_ours(output: str) -> Result:
    found = json.loads(output)
    return Result(found["requests"], found["response_bytes"])


def _read_mtail(output: str) -> Result:
    found = json.loads(output[output.index("{") :])
    values = [value for metric in found["requests"] for value in metric["LabelValues"] or ()]
    requests = {" ".join(value["Labels"]): value["Value"]["Value"] for value in values}
    return Result(requests, found["response_bytes"][0]["LabelValues"][0]["Value"]["Value"])


def _read_goaccess(output: str) -> Result:
    report = json.loads(output)["status_codes"]
    items = [item for group in report["data"] for item in group["items"]]
    requests = {item["data"].split()[0]: item["hits"]["count"] for item in items}
    return Result(requests, report["metadata"]["bytes"]["total"]["value"])


def _read_mawk(output: str) -> Result:
    found = {kind: int(n) for kind, n in (row.rsplit(" ", 1) for row in output.splitlines())}
    return Result(found, found.pop("bytes"))
