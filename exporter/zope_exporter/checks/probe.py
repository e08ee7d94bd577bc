"""Whether what is probed is what visitors see: Zope's root answers without the site, too."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from zope_exporter.clients.http.url import without_credentials
from zope_exporter.collectors.agent.instance import INFO
from zope_exporter.collectors.plone import SITE_INFO
from zope_exporter.discovery.inventory import Site
from zope_exporter.metrics.values import Values

from .finding import Finding, Severity

_REQUEST = re.compile(rb'"(?:GET|HEAD|POST) (/[^ "?]*)')
_REWRITTEN = re.compile(r"/VirtualHostBase/[^/]+/[^/]+/(.*?)/?VirtualHostRoot\b")
# Views, resources and management pages are of the root itself.
_NO_SITE = re.compile(r"@@|\+\+|manage|misc_|p_|Control_Panel|acl_users")
_LEAST, _MOST_OF_THEM = 20, 0.5


def roots(block: bytes) -> "Counter[str]":
    """Count the requests in lines of an access log by the site within Zope, if there is one."""
    return Counter(_root(match[1].decode("utf-8", "replace")) for match in _REQUEST.finditer(block))


def _root(path: str) -> str:
    rewritten = _REWRITTEN.match(path)
    if rewritten:
        return rewritten[1]
    first, *rest = path.strip("/").split("/")
    return first if rest and not _NO_SITE.match(first) else ""


def judge_probe(
    site: Site, values: Values, requested: Mapping[str, int] | None = None
) -> Iterator[Finding]:
    """Ask for a page of the site if nothing but the root of Zope is probed and the pages are known
    to be elsewhere: it is a Plone, or most of what was `requested`, by root, is below one of them.
    """
    if not site.targets or not all(target.any_answer for target in site.targets):
        return
    root = known_root(site, values, requested)
    sites = values.labels(SITE_INFO, site.name)
    plone = bool(sites) or any(of["plone_version"] for of in values.labels(INFO, site.name))
    if not root and not plone:
        return
    page = f"{without_credentials(site.targets[0].url)}{root or 'SITE'}"
    remedy = f'ping: [{{name: page, url: "{page}/@@ok"}}], which Plone answers from 5.2 on'
    if not plone:
        remedy = f'ping: [{{name: page, url: "{page}"}}], or {page}/@@ok if it is a Plone'
    text = "only the root of Zope is probed, which answers even when the site is gone"
    yield Finding(Severity.WARNING, site.name, "ping", f"{text} (probe a page of it: {remedy})")


def known_root(site: Site, values: Values, requested: Mapping[str, int] | None = None) -> str:
    """Return where the pages of a site are within Zope, as in a URL, empty if that is not known."""
    sites = [quote(of["plone_site"].strip("/")) for of in values.labels(SITE_INFO, site.name)]
    return _most(requested or {}) or (sites[0] if len(sites) == 1 else "")


def _most(requested: Mapping[str, int]) -> str:
    """The root that most requests are below of, empty if there is none."""
    number = sum(requested.values())
    root, below = max(requested.items(), key=lambda item: item[1], default=("", 0))
    return root if number >= _LEAST and below > _MOST_OF_THEM * number else ""
