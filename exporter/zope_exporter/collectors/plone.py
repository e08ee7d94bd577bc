"""Plone sites and add-ons: what a database has installed, against what the Zopes have on disk."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from zope_exporter.clients.agent.addons import Addons, Step, waits
from zope_exporter.metrics.metric import Metric, Sample
from zope_exporter.metrics.registry import Scrape
from zope_exporter.storage.filestorage.followed_sites import PloneSites

LABELS = ("site", "database")
OTHER = "other"
MOST_PROFILES = 20
PLONE = "Products.CMFPlone:plone"

SITES = Metric(
    "zope_plone_sites",
    "gauge",
    "Plone sites in the database, in its root and in folders there; absent until the first"
    " background scan of a Data.fs has found them, and where records cannot be read.",
    LABELS,
)
SITE_INFO = Metric(
    "zope_plone_site_info",
    "info",
    "A Plone site in the database, and the version of Plone's own profile in it, empty where that"
    " is not known.",
    (*LABELS, "plone_site", "version"),
)
WAITING = Metric(
    "zope_plone_profiles_waiting",
    "gauge",
    "Installed profiles for which a running Zope has an upgrade step that is later than what the"
    " Plone site has, by profile: 20 that wait, and all others; absent where a version is not known"
    " or no agent tells the steps. Versions that are not numbers are left out.",
    (*LABELS, "profile"),
)
DISTRIBUTIONS = Metric(
    "zope_distribution_zopes",
    "gauge",
    "Running Zopes of the site that have an add-on in this version: distributions of the namespace"
    " Products, and those that have themselves included in Plone; 100 of a Zope at most.",
    ("site", "distribution", "version"),
)


class PloneCollector:
    """Puts together what an agent knows of each Zope, and what was found in each database.

    `addons` has the Zopes by site and name, each of `sites` databases by site and name.
    """

    name = "plone"
    metrics = (SITES, SITE_INFO, WAITING, DISTRIBUTIONS)

    def __init__(
        self,
        addons: Callable[[], Mapping[tuple[str, str], Addons]],
        *sites: Callable[[], Mapping[tuple[str, str], PloneSites]],
    ) -> None:
        self._addons = addons
        self._sites = sites

    def derive(self, _: Scrape) -> Iterator[Sample]:
        addons = self._addons()
        found = {of: plones for sites in self._sites for of, plones in sites().items()}
        for (site, database), plones in found.items():
            of = {"site": site, "database": database}
            yield SITES(len(plones), **of)
            for path, versions in plones.items():
                version = (versions or {}).get(PLONE, "")
                yield SITE_INFO(1, plone_site=path, version=version, **of)
            told = (each.steps for (own, _), each in addons.items() if own == site)
            steps = [each for each in told if each is not None]
            if plones and steps and None not in plones.values():
                yield from _waiting(plones, steps, of)
        counted = Counter(
            (site, distribution, version)
            for (site, _), each in addons.items()
            for distribution, version in each.distributions.items()
        )
        for (site, distribution, version), zopes in counted.items():
            yield DISTRIBUTIONS(zopes, site=site, distribution=distribution, version=version)


def _waiting(
    plones: PloneSites, zopes: Sequence[Mapping[str, Sequence[Step]]], of: Mapping[str, str]
) -> Iterator[Sample]:
    found = Counter(
        profile
        for versions in plones.values()
        for profile, version in (versions or {}).items()
        if any(waits(version, steps.get(profile, ())) for steps in zopes)
    )
    named = sorted(found, key=lambda profile: (-found[profile], profile))[:MOST_PROFILES]
    for profile in named:
        yield WAITING(found[profile], profile=profile, **of)
    rest = found.total() - sum(found[profile] for profile in named)
    yield WAITING(rest, profile=OTHER, **of)
