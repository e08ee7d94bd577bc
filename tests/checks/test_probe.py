"""Zope's root answers without the site: whoever probes nothing else is asked for a page."""

from collections.abc import Mapping, Sequence

import pytest

from zope_exporter.checks.probe import judge_probe, roots
from zope_exporter.collectors.agent.instance import INFO
from zope_exporter.collectors.plone import SITE_INFO
from zope_exporter.discovery.inventory import Site, Target
from zope_exporter.metrics.metric import Sample
from zope_exporter.metrics.registry import Scrape

ROOT = Target("client1", "http://127.0.0.1:8080/", any_answer=True)
PAGE = Target("home", "http://127.0.0.1:8080/Plone")


def in_data_fs(*paths: str) -> list[Sample]:
    labels = {"site": "intranet", "database": "main", "version": "6205"}
    return [SITE_INFO(1, plone_site=path, **labels) for path in paths]


def plone(version: str) -> Sample:
    labels = {**dict.fromkeys(INFO.labels, ""), "site": "intranet", "zope": "client1"}
    return INFO(1.0, **{**labels, "plone_version": version})


def said(
    *targets: Target,
    version: str = "",
    requested: Mapping[str, int] | None = None,
    plones: Sequence[str] = (),
) -> list[str]:
    values = Scrape([plone(version), *in_data_fs(*plones)], []).values
    return [f.text for f in judge_probe(Site("intranet", targets=targets), values, requested)]


def test_of_a_plone_only_its_root_is_probed() -> None:
    [text] = said(ROOT, version="6.2.2")
    assert 'url: "http://127.0.0.1:8080/SITE/@@ok"' in text


def test_the_data_fs_names_the_site() -> None:
    [text] = said(ROOT, plones=["/sites/intranet"])
    assert 'url: "http://127.0.0.1:8080/sites/intranet/@@ok"' in text
    [text] = said(ROOT, plones=["/one", "/other"])
    assert 'url: "http://127.0.0.1:8080/SITE/@@ok"' in text


def test_the_access_log_names_the_site() -> None:
    [text] = said(ROOT, requested={"Plone": 30, "": 5})
    assert 'url: "http://127.0.0.1:8080/Plone"' in text
    assert "http://127.0.0.1:8080/Plone/@@ok if it is a Plone" in text
    [text] = said(ROOT, version="6.2.2", requested={"Plone": 30, "": 5})
    assert 'url: "http://127.0.0.1:8080/Plone/@@ok"' in text


@pytest.mark.parametrize(
    ("targets", "version", "requested"),
    [
        ((ROOT, PAGE), "6.2.2", {"Plone": 30}),
        ((), "6.2.2", {"Plone": 30}),
        ((ROOT,), "", {"Plone": 10}),
        ((ROOT,), "", {"Plone": 30, "": 40}),
        ((ROOT,), "", None),
    ],
)
def test_nothing_is_asked_where_a_page_is_probed_or_nothing_is_known(
    targets: tuple[Target, ...], version: str, requested: dict[str, int] | None
) -> None:
    assert said(*targets, version=version, requested=requested) == []


@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("/Plone/news", "Plone"),
        (
            "/VirtualHostBase/https/example.org:443/sites/main/VirtualHostRoot/_vh_x/news",
            "sites/main",
        ),
        ("/VirtualHostBase/http/example.org:80/VirtualHostRoot/news", ""),
        ("/", ""),
        ("/ok", ""),
        ("/++resource++plone/x.css", ""),
        ("/manage/main", ""),
    ],
)
def test_the_root_of_a_request(path: str, root: str) -> None:
    line = f'127.0.0.1 - - [30/Nov/2026:02:00:00 +0000] "GET {path}?a=1 HTTP/1.1" 200 17\n'
    assert roots(line.encode()) == {root: 1}
