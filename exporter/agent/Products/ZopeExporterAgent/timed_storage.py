"""A storage around another one that takes the time of its loads, for <timedstorage> in zope.conf.

ZODB offers no other place to do that. The data of a site go through here, so that it does nothing
else: each call and attribute is that of the storage within, as are all errors.
"""

from __future__ import absolute_import

from Products.ZopeExporterAgent.load_times import clock, spent

_LOADS = ("load", "loadBefore", "loadSerial", "loadBlob")
# By these a storage with an instance for each connection makes those, as RelStorage does.
_MAKERS = ("new_instance", "before_instance")


class Section(object):
    """<timedstorage>, as component.xml defines it."""

    def __init__(self, config):
        self.config = config
        self.name = config.getSectionName()

    def open(self):
        """The storage within, opened; fails as that does."""
        return TimedStorage(self.config.base.open())


class TimedStorage(object):
    """Has what `base` has, no more and no less: what it lacks is looked for there as well."""

    def __init__(self, base):
        from zope.interface import directlyProvides, providedBy

        self.base = base
        for name in _LOADS:
            if hasattr(base, name):
                setattr(self, name, _timed(base, name))
        for name in _MAKERS:
            if hasattr(base, name):
                setattr(self, name, _making(base, name))
        directlyProvides(self, providedBy(base))

    def __getattr__(self, name):
        return getattr(self.base, name)

    def __len__(self):
        return len(self.base)

    def __repr__(self):
        return "<TimedStorage around %r>" % (self.base,)


# What `base` does is asked for at each call: RelStorage replaces its methods while it is in use.


def _timed(base, name):
    def load(*arguments, **named):
        before, began = spent.seconds, clock()
        try:
            return getattr(base, name)(*arguments, **named)
        finally:
            # Not added: one that is timed too may be within, and has added the same time.
            spent.seconds = before + clock() - began

    return load


def _making(base, name):
    def make(*arguments, **named):
        return TimedStorage(getattr(base, name)(*arguments, **named))

    return make
