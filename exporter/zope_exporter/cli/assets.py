"""The commands that write out what is shipped for other programs."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import click

from zope_exporter.system.resources import SHIPPED, shipped

from .flags import Command, exit_on_user_error

_DIRECTORY = click.Path(path_type=Path, file_okay=False)


def _thresholds_flag(command: Command) -> Command:
    text = "Your own thresholds; what they leave out is as shipped."
    return click.option("--thresholds", type=click.Path(path_type=Path), help=text)(command)


@click.command("assets")
@click.argument("directory", type=_DIRECTORY)
@_thresholds_flag
def assets_command(directory: Path, thresholds: Path | None) -> None:
    """Write the files for Prometheus, Alertmanager, Grafana, systemd, cron and Kubernetes into
    DIRECTORY."""
    with exit_on_user_error():
        rules, dashboards, for_grafana_com = _make(thresholds)
    for name in SHIPPED:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(shipped(name), directory / name, dirs_exist_ok=True, ignore=ignored)
    _write(directory / "alerts", rules)
    _write(directory / "grafana/dashboards", dashboards)
    _write(directory / "grafana/grafana.com", for_grafana_com)
    for name in SHIPPED:
        click.echo(str(directory / name))


@click.command("rules")
@click.argument("directory", type=_DIRECTORY)
@_thresholds_flag
@click.option(
    "--dashboards",
    type=_DIRECTORY,
    help="Where Grafana reads dashboards; DIRECTORY/dashboards if not given.",
)
def rules_command(directory: Path, thresholds: Path | None, dashboards: Path | None) -> None:
    """Write the alerting rules, for Prometheus and for its Kubernetes operator, and the dashboards
    into DIRECTORY, with your thresholds."""
    with exit_on_user_error():
        rules, made, _ = _make(thresholds)
    written = _write(directory, rules)
    written += _write(dashboards or directory / "dashboards", made)
    for path in written:
        click.echo(str(path))


def _make(own: Path | None) -> tuple[Mapping[str, str], ...]:
    """Return the rules, the dashboards, and those for grafana.com, as texts by path."""
    from zope_exporter.alerting.dashboards.build import as_files, documents, for_grafana_com
    from zope_exporter.alerting.rules import generate
    from zope_exporter.alerting.thresholds import read_thresholds
    from zope_exporter.app.declarations import declared_metrics

    alerts = shipped("alerts")
    thresholds = read_thresholds(alerts / "thresholds.yml", own)
    made = documents(declared_metrics(), thresholds)
    variants = map(for_grafana_com, made)
    return generate(alerts, own), as_files(made), as_files(variants)


def _write(directory: Path, texts: Mapping[str, str]) -> list[Path]:
    for name, text in texts.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return [directory / name for name in texts]
