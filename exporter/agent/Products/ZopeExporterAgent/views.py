"""The views that requests ask for: class and name of what is published, never a URL."""

from __future__ import absolute_import

import logging
import types

log = logging.getLogger(__name__)

MOST = 1000  # classes and methods that are remembered
# In ZODB these are code, and their ids are names of views; ids of all else there are content.
_CODE = ("Shared.DC.", "OFS.DTMLMethod", "Products.PageTemplates.")
_CODE += ("Products.PythonScripts.", "Products.ExternalMethod.")
# These make a class for each page that ZCML tells of.
_FACTORIES = ("Products.Five.", "zope.browserpage.")
_STRINGS = (str, type(""))


class Views(object):
    """Listens to the end of traversal."""

    def __init__(self, requests):
        self._requests = requests
        self._name_of = None

    def subscribe(self):
        from Acquisition import aq_base
        from zope.component import provideHandler
        from ZPublisher.interfaces import IPubAfterTraversal

        self._name_of = ViewNames(aq_base)
        provideHandler(self.heed, (IPubAfterTraversal,))

    def heed(self, event):
        """Note what is about to be called. Whatever happens here is no concern of the request."""
        try:
            self._requests.viewed(self._name_of(event.request.other["PUBLISHED"]))
        except Exception:
            log.debug("A view was not noted", exc_info=True)


class ViewNames(object):
    """Names what is published, without an attribute that would load, or run code of the site."""

    def __init__(self, aq_base):
        self._aq_base = aq_base
        self._known = {}

    def __call__(self, published):
        if type(published) is types.MethodType:
            owner, method = self._aq_base(published.__self__), published.__func__.__name__
        else:
            owner, method = self._aq_base(published), None
        of = type(owner), method
        name, key = self._known.get(of) or self._learn(*of)
        if key is None:
            return name
        # Of a ghost it is empty, and is not loaded for that.
        own = getattr(owner, "__dict__", {})
        page = own.get(key) or own.get("__name__")
        return name % page if isinstance(page, _STRINGS) else name.replace("/%s", "")

    def _learn(self, cls, method):
        if len(self._known) >= MOST:
            self._known = {}
        found = self._known[cls, method] = _described(cls, method)
        return found


def _described(cls, method):
    """The name of what is published, and where an object has the part %s of it, None for nowhere.

    A method that is called because the object is published has no name.
    """
    is_code = any(each.__module__.startswith(_CODE) for each in cls.__mro__)
    is_view = not is_code and not hasattr(cls, "_p_jar")
    page, key = None, None
    if is_code or is_view:
        pages = [vars(each).get("__name__") for each in cls.__mro__]
        page = next((name for name in pages if isinstance(name, _STRINGS)), None)
    if is_code or (is_view and page is None and method is None):
        page, key = "%s", "id" if is_code else "__name__"
    parts = [_class_name(cls), page, None if method == "__call__" else method]
    return "/".join([part for part in parts if part]), key


def _class_name(cls):
    if cls.__module__.startswith(_FACTORIES):
        bases = [base for base in cls.__bases__ if not base.__module__.startswith(_FACTORIES)]
        cls = (bases or [cls])[0]
    # What has only a template is called after the path of that file.
    return "%s.%s" % (cls.__module__, cls.__name__.partition(" from ")[0])
