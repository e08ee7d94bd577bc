"""Plone sites and add-ons: what is installed, in the databases and on disk, and what is missing."""

from zope_exporter.alerting.thresholds import Limits

from .dashboard import Dashboard, Row
from .field_config import COUNT
from .panels import Panel, Query, bars
from .queries import SITE, Metrics
from .tables import listing


def plone(m: Metrics, _: Limits) -> Dashboard:
    """Return the dashboard of Plone sites and add-ons."""
    return Dashboard(
        "zope-plone",
        "Zope / Plone and add-ons",
        "Plone sites, profiles that wait for an upgrade step, versions of add-ons, missing code.",
        (Row("Plone sites", _sites(m)), Row("Add-ons", _addons(m))),
    )


def _sites(m: Metrics) -> tuple[Panel, ...]:
    waiting = f"sum by ({SITE}, database, profile) ({m('zope_plone_profiles_waiting')})"
    return (
        listing(
            "Plone sites",
            m.help("zope_plone_site_info"),
            m("zope_plone_site_info"),
            ("site", "database", "plone_site", "version"),
            width=12,
        ),
        bars(
            "Profiles that wait for an upgrade step",
            m.help("zope_plone_profiles_waiting"),
            Query(
                f"sort_desc({waiting} > 0)",
                "{{instance}} {{site}} {{database}} {{profile}}",
                instant=True,
            ),
            COUNT,
            width=12,
            height=6,
        ),
    )


def _addons(m: Metrics) -> tuple[Panel, ...]:
    return (
        listing(
            "Versions",
            m.help("zope_distribution_zopes"),
            m("zope_distribution_zopes"),
            ("site", "distribution", "version"),
            width=8,
        ),
        _missing(m, "Classes whose code is missing", "class", "ZopeBrokenClasses"),
        _missing(m, "Products that Zope started without", "product", "ZopeBrokenProducts"),
    )


def _missing(m: Metrics, title: str, label: str, runbook: str) -> Panel:
    metric, names = f"zope_broken_{label}_info", ("site", "zope", label)
    return listing(title, m.help(metric), m(metric), names, width=8, runbooks=(runbook,))
