"""The add-ons in this process: which versions, which upgrade steps, which classes are missing.

Of all this the process knows by what is installed and imported: the database is not asked.
"""

from __future__ import absolute_import

import re
import sys
import time

from Products.ZopeExporterAgent.parts import ABSENT, text

MOST = 100  # of each; far more than a Zope has beside what it is made of
RENEWED_SECONDS = 60.0  # steps are registered while Zope starts, and the agent answers before that

_PLUGIN = "z3c.autoinclude.plugin"  # by which a distribution has itself included in Plone
_STEPS = "Products.GenericSetup.upgrade"
_ANY = (None, "all", "unknown", "*")
_NUMBERS = re.compile(r"[0-9]+(\.[0-9]+)*\Z")


class Addons(object):
    """Distributions are looked for once: what is changed later on disk is not what runs."""

    def __init__(self):
        self._distributions = None
        self._steps = ABSENT
        self._renew = 0.0

    def parts(self):
        return [
            ("distributions", self._read_distributions),
            ("upgrade_steps", self._read_steps),
            ("broken_names", _broken_names),
        ]

    def _read_distributions(self):
        if self._distributions is None:
            found = {}
            for name, version in _installed():
                found.setdefault(text(name), text(version))  # the first one is imported
            self._distributions = {name: found[name] for name in sorted(found)[:MOST]}
        return self._distributions

    def _read_steps(self):
        if time.time() >= self._renew:
            self._steps = _upgrade_steps()
            self._renew = time.time() + RENEWED_SECONDS
        return self._steps


def _broken_names():
    from OFS.Uninstalled import broken_klasses

    names = [".".join(text(part) for part in pair) for pair in list(broken_klasses)]
    return sorted(names)[:MOST]


def _installed():
    """Names and versions of the distributions that are products, or plug-ins of Plone."""
    try:
        from importlib.metadata import distributions
    except ImportError:  # before Python 3.8
        from pkg_resources import working_set

        for found in working_set:
            if _is_addon(found.project_name, found.get_entry_map(_PLUGIN)):
                yield found.project_name, found.version
    else:
        for found in distributions():
            name = found.metadata["Name"]
            entry_points = found.read_text("entry_points.txt") or ""
            if name and _is_addon(name, "[%s]" % _PLUGIN in entry_points):
                yield name, found.version


def _is_addon(name, is_plugin):
    return is_plugin or name.startswith("Products.")


def _upgrade_steps():
    """By profile, pairs of the versions that a step starts from and leads to.

    Left out are steps that whoever takes another one of them takes too, and those to any version,
    which are offered for ever.
    """
    upgrade = sys.modules.get(_STEPS)
    if upgrade is None:
        return ABSENT
    registry, found = upgrade._upgrade_registry, {}
    for profile in sorted(registry.keys()):
        steps = registry[profile] or {}
        pairs = (_versions(step) for each in list(steps.values()) for step in _single(each))
        last = last_steps([pair for pair in pairs if pair])
        if last:
            found[text(profile)] = last
    return found


def _single(step):
    """Steps may be grouped, in pairs of an id and a step."""
    return [nested for _, nested in step] if isinstance(step, list) else [step]


def _versions(step):
    source, dest = _joined(step.source), _joined(step.dest)
    return None if dest in _ANY else (None if source in _ANY else source, dest)


def _joined(version):
    return ".".join(version) if isinstance(version, tuple) else version


def last_steps(pairs):
    """The pairs of versions, None for any, that no other one covers: from later on, to later.

    What is no number between dots cannot be put in order, and is left out.
    """
    known = []
    for source, dest in pairs:
        first, last = (float("inf"),) if source is None else number(source), number(dest)
        if first and last:
            known.append((last, first, [source, dest]))
    kept, latest = [], ()
    for _, first, pair in sorted(known, key=lambda each: each[:2], reverse=True):
        if first > latest:
            kept.append(pair)
            latest = first
    return kept


def number(version):
    """A version as numbers that compare; None if it is not made of numbers."""
    if not _NUMBERS.match(version):
        return None
    numbers = [int(part) for part in version.split(".")]
    while len(numbers) > 1 and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
