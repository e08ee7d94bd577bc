"""A shell that runs a job until it is told to go on: STATE_DIRECTORY VAR ACTION [WAIT].

Prints `begun` once the job runs, goes on at a line of input, and exits as the command would.
"""

import signal
import sys
import threading
from pathlib import Path

import click

from tests.support.jobs.jobs import Gate, ListedWork, work
from zope_exporter.cli.foreground import ENDING
from zope_exporter.cli.run_action import Shell
from zope_exporter.maintenance.jobs.job import Facts, Paths, Task
from zope_exporter.maintenance.jobs.report import Report
from zope_exporter.maintenance.jobs.store import JobStore


def main(state: str, var: str, action: str, wait: str = "0") -> int:
    gate = Gate()

    def run(report: Report) -> Facts:
        click.echo("begun")
        return gate(report)

    def listen() -> None:
        if sys.stdin.readline():
            gate.go_on.set()

    task = Task("intranet", "main", action)
    paths = Paths(Path(var, "Data.fs"), Path(var, "backups"))
    catalog = ListedWork(work(Path(var), run, task, paths))
    threading.Thread(target=listen, daemon=True).start()
    store = JobStore(Path(state, "state.sqlite3"))
    return Shell(catalog, store, float(wait), quiet=True).run(task)


if __name__ == "__main__":
    for ending in ENDING:  # a shell's background jobs ignore SIGINT, and so would what they start
        signal.signal(ending, signal.SIG_DFL)
    sys.exit(main(*sys.argv[1:]))
