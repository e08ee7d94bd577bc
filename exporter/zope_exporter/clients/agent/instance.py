"""What a Zope process runs, from its agent: versions, configuration, debug mode."""

from collections.abc import Iterator

from zope_exporter.metrics.metric import Metric, Sample

from .answer import Answer
from .serving import ZOPE

_VERSIONS = {
    "zope_version": ("instance", "versions", "Zope"),
    "plone_version": ("instance", "versions", "Plone"),
    "zodb_version": ("instance", "versions", "ZODB"),
    "zeo_version": ("instance", "versions", "ZEO"),
    "relstorage_version": ("instance", "versions", "RelStorage"),
    "python_version": ("instance", "versions", "Python"),
    "agent_version": ("agent", "version"),
    "server": ("workers", "server"),
}

INFO = Metric(
    "zope_instance_info",
    "info",
    "Versions of what the process runs, empty where it does not have it.",
    (*ZOPE, *_VERSIONS),
)
CONFIG_INFO = Metric(
    "zope_instance_config_info",
    "info",
    "Hash of zope.conf and the ini file as they were when Zope started, alike where they are.",
    (*ZOPE, "config_hash"),
)
DEBUG_MODE = Metric(
    "zope_instance_debug_mode", "gauge", "Whether Zope runs in debug mode (1) or not (0).", ZOPE
)
BROKEN_CLASSES = Metric(
    "zope_broken_classes",
    "gauge",
    "Classes of objects met in the database whose code is missing.",
    ZOPE,
)
METRICS = INFO, CONFIG_INFO, DEBUG_MODE, BROKEN_CLASSES

_LONGEST = 100


def instance_samples(answer: Answer, site: str, zope: str) -> Iterator[Sample]:
    """Yield the samples of a Zope process as a whole."""
    of = {"site": site, "zope": zope}
    if answer.keys("instance", "versions"):
        versions = {label: answer.text(*path) or "" for label, path in _VERSIONS.items()}
        yield INFO(1, **{label: text[:_LONGEST] for label, text in versions.items()}, **of)
    config = answer.text("instance", "config_hash")
    if config:
        yield CONFIG_INFO(1, config_hash=config[:_LONGEST], **of)
    debug = answer.flag("instance", "debug_mode")
    if debug is not None:
        yield DEBUG_MODE(debug, **of)
    broken = answer.number("instance", "broken_classes")
    if broken is not None:
        yield BROKEN_CLASSES(broken, **of)
