"""`verify PATH`: proving a repository that may be read-only, and that no configuration names."""

import threading
from collections.abc import Iterator
from pathlib import Path

import click

from zope_exporter.maintenance.backup.place import repositories
from zope_exporter.maintenance.backup.target import ROOT_DATABASE
from zope_exporter.maintenance.backup.verification import Verdict, inspect
from zope_exporter.maintenance.backup.verification_record import Level
from zope_exporter.maintenance.jobs.report import ActionError, Report

from .flags import EXIT_CODES
from .foreground import Stoppable, ended_by, ended_by_signals, shown


def inspected(path: Path, database: str | None, level: str | None, quiet: bool) -> Iterator[int]:
    """Prove the backups of each database in a directory; yield an exit code for each."""
    found = [each for each in repositories(path) if database in (None, each.database)]
    if len(found) > 1 and not any(path.glob("*.fs*")):
        found = [each for each in found if each.database != ROOT_DATABASE]  # it has others alone
    if not found:
        click.echo(f"refused: {path} has no backups of a database called {database}", err=True)
        yield EXIT_CODES["refused"]
    stopping = threading.Event()
    for name, repository in found:
        with shown(quiet) as display, ended_by_signals(stopping):
            report = Stoppable(display, stopping)
            yield _inspect(name, repository, Level[(level or "restore").upper()], report, quiet)


def _inspect(name: str, repository: Path, level: Level, report: Report, quiet: bool) -> int:
    what = f"verify of {name} in {repository}"
    try:
        verdict = inspect(repository, level, report)
    except ActionError as error:
        return ended_by(error, what)
    for failure in verdict.failures:
        click.echo(f"{what}: failed: {failure}", err=True)
    if verdict.ok and not quiet:
        click.echo(f"{what}: succeeded, {_facts(verdict)}")
    return EXIT_CODES["succeeded" if verdict.ok else "failed"]


def _facts(verdict: Verdict) -> str:
    facts = [f"backup: {verdict.stamp}", f"verified: {verdict.level.word}"]
    if verdict.transactions:
        facts.append(f"{verdict.transactions} transactions, {verdict.objects} objects")
    if verdict.database_faults:
        facts.append(f"the database itself lacks: {'; '.join(verdict.database_faults)}")
    return ", ".join(facts)
