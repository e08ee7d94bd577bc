"""The instance as it was started: its versions, its configuration, what is broken in it."""

from __future__ import absolute_import

import hashlib
import io
import platform
import sys

from Products.ZopeExporterAgent.addons import Addons
from Products.ZopeExporterAgent.broken_products import broken_products
from Products.ZopeExporterAgent.parts import UnknownError

# What each is called, and the distributions that may hold it, the newest first.
_DISTRIBUTIONS = (
    ("Zope", ("Zope", "Zope2")),
    ("ZODB", ("ZODB", "ZODB3")),
    ("ZEO", ("ZEO", "ZODB3")),
    ("RelStorage", ("RelStorage",)),
    ("waitress", ("waitress",)),
    ("Plone", ("Products.CMFPlone",)),
)


class Instance(object):
    """Read once: what is changed later on disk is not what runs."""

    def __init__(self, configuration, config_files):
        self._configuration = configuration
        self._config_files = config_files
        self._config_hash = _hash_if_readable(config_files)
        self._versions = None
        self._addons = Addons()

    def parts(self):
        return [
            ("versions", self._read_versions),
            ("debug_mode", lambda: bool(self._configuration.debug_mode)),
            ("config_hash", self._read_config_hash),
            ("broken_classes", _broken_classes),
            ("broken_products", broken_products),
        ] + self._addons.parts()

    def _read_versions(self):
        if self._versions is None:
            self._versions = _versions()
        return self._versions

    def _read_config_hash(self):
        if self._config_hash is None:
            raise UnknownError("the files Zope was configured by are not known, or not readable")
        return self._config_hash


def find_config_files():
    """zope.conf, and before it the zope.ini if there is one, as told by whoever starts Zope now."""
    frame = sys._getframe()
    while frame is not None:
        found = _config_files_of(frame.f_code.co_name, frame.f_locals)
        if found:
            return found
        frame = frame.f_back
    return []


def _config_files_of(function, variables):
    if function == "make_wsgi_app":
        ini = (variables.get("global_config") or {}).get("__file__")
        return [path for path in (ini, variables.get("zope_conf")) if path]
    if function in ("run", "configure", "configure_wsgi", "runscript", "main"):
        options = variables.get("opts")
        path = variables.get("configfile") or getattr(options, "configfile", None)
        return [path] if path else []
    return []


def _hash_if_readable(paths):
    """None if one is not, as when Zope has given up the rights that it was started with."""
    try:
        return hash_of(paths) if paths else None
    except (IOError, OSError, TypeError):
        return None


def hash_of(paths):
    digest = hashlib.sha256()
    for path in paths:
        with io.open(path, "rb") as stream:
            digest.update(stream.read())
        digest.update(b"\0")
    return digest.hexdigest()


def _broken_classes():
    from OFS.Uninstalled import broken_klasses

    return len(broken_klasses)


def _versions():
    version_of = _version_reader()
    found = {"Python": platform.python_version()}
    for name, distributions in _DISTRIBUTIONS:
        for distribution in distributions:
            version = version_of(distribution)
            if version and name not in found:
                found[name] = version
    return found


def _version_reader():
    try:
        from importlib.metadata import PackageNotFoundError, version
    except ImportError:  # before Python 3.8
        from pkg_resources import DistributionNotFound, get_distribution

        def old_version_of(distribution):
            try:
                return get_distribution(distribution).version
            except DistributionNotFound:
                return None

        return old_version_of

    def version_of(distribution):
        try:
            return version(distribution)
        except PackageNotFoundError:
            return None

    return version_of
