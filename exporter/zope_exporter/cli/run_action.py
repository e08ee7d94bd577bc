"""Running actions in the foreground, with their progress shown."""

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from zope_exporter.config.search import search
from zope_exporter.maintenance.actions.catalog import ActionCatalog
from zope_exporter.maintenance.backup.verification_record import Level
from zope_exporter.maintenance.jobs.execution import Recorder, execute
from zope_exporter.maintenance.jobs.job import Catalog, Facts, Outcome, Task
from zope_exporter.maintenance.jobs.lock import Patience
from zope_exporter.maintenance.jobs.report import ActionError, RefusedError
from zope_exporter.maintenance.jobs.store import JobStore
from zope_exporter.system.humanize import duration, size
from zope_exporter.system.state import state_file
from zope_exporter.system.state_look import state_to_look_at

from .flags import EXIT_CODES, SEARCH_SECONDS, read_config
from .foreground import ended_by, ended_by_signals, shown


def find_catalog(
    config_file: Path | None, pack_days: int | None = None, level: str | None = None
) -> ActionCatalog:
    config = read_config(config_file)
    store = JobStore(*state_file(config.state_dir))
    inventory = search(config, SEARCH_SECONDS)
    at = None if level is None else Level[level.upper()]
    return ActionCatalog(config, lambda: inventory, store, pack_days, at)


@contextmanager
def catalog_to_look_at(
    config_file: Path | None, pack_days: int | None = None
) -> Iterator[ActionCatalog]:
    """Give a catalog to ask, and to begin nothing with: its state is a copy."""
    config = read_config(config_file)
    with state_to_look_at(config.state_dir) as (state, problem):
        store = JobStore(state, problem)
        if store.is_kept:
            store.reap()  # of jobs whose process has died nobody is to be told that they run
        inventory = search(config, SEARCH_SECONDS)
        yield ActionCatalog(config, lambda: inventory, store, pack_days)


def rehearsed(catalog: ActionCatalog, task: Task) -> int:
    """Say what a pack or a backup would do, or why it would not; return the exit code."""
    try:
        with shown() as display:
            catalog.rehearse(task, display)
    except ActionError as error:
        return ended_by(error, task, "would fail")
    return EXIT_CODES["succeeded"]


def meant(
    catalog: ActionCatalog, action: str, site: str | None, database: str | None
) -> Sequence[Task]:
    """Return what is meant; ends the process if that is not clear."""
    try:
        return catalog.meant(action, site, database)
    except RefusedError as error:
        sys.exit(ended_by(error))


def worst(codes: Iterable[int]) -> int:
    """Return the exit code for several tasks."""
    return min(codes, key=list(EXIT_CODES.values()).index)


class Shell:
    """Runs one task after another in this process, as jobs."""

    def __init__(self, catalog: Catalog, store: JobStore, wait: float, quiet: bool) -> None:
        self._catalog = catalog
        self._store = store
        self._stopping = threading.Event()
        self._patience = Patience(wait, self._stopping.wait)
        self._quiet = quiet

    def run(self, task: Task) -> int:
        """Run one to its end; return the exit code."""
        try:
            work = self._catalog.work(task)
            pending = self._store.add(work, _origin())
        except RefusedError as error:
            return ended_by(error, task)
        with shown(self._quiet) as display, ended_by_signals(self._stopping):
            stopping = self._stopping.is_set
            recorder = Recorder(self._store, pending.job.id, stopping, display)
            outcome = execute(self._store, pending, recorder, self._patience)
        self._tell(task, outcome)
        return EXIT_CODES[outcome.state]

    def _tell(self, task: Task, outcome: Outcome) -> None:
        if outcome.state != "succeeded":
            click.echo(f"{task}: {outcome.state}: {outcome.error}", err=True)
        elif not self._quiet:
            facts = "".join(f", {fact}" for fact in _worded(outcome.result))
            click.echo(f"{task}: {outcome.state}{facts}")


def _origin() -> str:
    # systemd gives every start of a unit an id; a shell in its session has inherited one.
    return "timer" if "INVOCATION_ID" in os.environ and not sys.stderr.isatty() else "shell"


def _worded(result: Facts) -> Iterator[str]:
    for name, value in result.items():
        if isinstance(value, list | dict) or value is None:
            continue
        words: dict[str, Callable[[float], str]] = {"_bytes": size, "_seconds": duration}
        unit = next((unit for unit in words if name.endswith(unit)), None)
        shown = words[unit](value) if unit else str(value)
        yield f"{name.removesuffix(unit or '').replace('_', ' ')}: {shown}"
