"""The runbooks of the alerts over HTTP, for whoever follows the link of a mail at night.

`?site=NAME` and `&zope=NAME` fill the paths of that site into the commands.
"""

import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zope_exporter.config import exported
from zope_exporter.discovery.inventory import Inventory, Site
from zope_exporter.discovery.site_paths import NAMES, find_site, site_paths
from zope_exporter.metrics.metric import encodable
from zope_exporter.system.resources import shipped

from .markdown import to_html
from .text_page import page_route, text_page
from .thread import in_thread

RUNBOOKS = "/runbooks"
# The one form in which runbooks use a variable. Quoted, so is what takes its place.
_VARIABLE = re.compile(rf'"\$({"|".join(NAMES)})"')
_SETTING = re.compile(r'^eval "\$\(zope-exporter paths[^\n]*\n?', re.MULTILINE)
_OWN = re.compile(r"^ *zope-exporter ", re.MULTILINE)


@dataclass(frozen=True)
class Known:
    """What commands are filled in from; `repositories` are those of the backups, by site."""

    inventory: Callable[[], Inventory] = Inventory
    repositories: Mapping[str, Path] = field(default_factory=dict)
    config_file: Path | None = None

    def of(self, site: Site, zope: str) -> dict[str, str]:
        """Raises LookupError if the site has no such Zope."""
        return site_paths(site, zope, self.repositories.get(site.name))


def runbook_routes(
    stylesheet: str, known: Known | None = None, directory: Path | None = None
) -> list[Route]:
    """Return the routes of the pages, one for each file of the directory, and of their list."""
    known = known or Known()
    directory = directory or shipped("alerts") / "runbooks"
    files = {path.stem: path for path in sorted(directory.glob("*.md"))}

    def page(request: Request, path: Path) -> str:
        asked = request.query_params
        return _page(path.read_text(), known, asked.get("site", ""), asked.get("zope", ""))

    async def index(request: Request) -> Response:
        asked = {name: request.query_params.get(name, "") for name in ("site", "zope")}
        query = urlencode({name: value for name, value in asked.items() if value})
        items = "".join(
            f'<li><a href="{escape(f"{RUNBOOKS}/{name}?{query}".rstrip("?"))}">{name}</a></li>'
            for name in files
        )
        form = _form(await in_thread(known.inventory), asked["site"])
        body = f'<h1>Runbooks</h1>{form}<ul class="index">{items}</ul>'
        return text_page(stylesheet, "Runbooks", body)

    return [
        Route(RUNBOOKS, index, methods=["GET"]),
        page_route(stylesheet, RUNBOOKS, files, "runbook", page),
    ]


def _page(text: str, known: Known, name: str, zope: str) -> str:
    inventory = known.inventory()
    form = _form(inventory, name) if _VARIABLE.search(text) else ""
    site = find_site(inventory, name)
    if site is None:
        said = f"<p>This exporter has no site called <bdi>{escape(name)}</bdi>.</p>" if name else ""
        return to_html(text, RUNBOOKS) + said + form
    try:
        values = known.of(site, zope)
    except LookupError as error:
        values = known.of(site, "")
        form += f"<p>{escape(encodable(str(error.args[0])))}.</p>"
    html = to_html(text, RUNBOOKS, lambda code: filled(code, values, known.config_file))
    return html + _told(site, values, _VARIABLE.findall(text)) + form


def filled(code: str, values: Mapping[str, str], config_file: Path | None = None) -> str:
    """Return commands with the values, quoted for a shell, in the place of the variables."""
    code = _VARIABLE.sub(
        lambda found: shlex.quote(values[found[1]]) if found[1] in values else found[0],
        _SETTING.sub("", code),
    )
    if config_file is not None and _OWN.search(code):
        return f"{exported(config_file)}\n{code}"
    return code


def _told(site: Site, values: Mapping[str, str], used: Iterable[str]) -> str:
    """Say of what the commands are, what is not known, and which other Zopes there are."""
    zope = f"{values['ZOPE']} of " if "ZOPE" in values else ""
    told = (
        f"The commands are those for <bdi>{escape(encodable(zope + site.name))}</bdi>, as of now."
    )
    unknown = [name for name in NAMES if name in used and name not in values]
    if unknown:
        reasons = ", ".join(f"{name} ({NAMES[name]})" for name in unknown)
        told += f" Not known of it, or not safe to be shown: {reasons}."
    others = [encodable(each.name) for each in site.services if each.kind == "zope"]
    links = ", ".join(
        f'<a href="?{escape(urlencode({"site": encodable(site.name), "zope": other}))}">'
        f"<bdi>{escape(other)}</bdi></a>"
        for other in others
        if other != encodable(values.get("ZOPE", ""))
    )
    return f"<p>{told}{f' The same for {links}.' if links else ''}</p>"


def _form(inventory: Inventory, chosen: str) -> str:
    names = [encodable(site.name) for site in inventory.sites]
    if not names:
        return ""
    options = "".join(
        f"<option{' selected' if name == chosen else ''}>{escape(name)}</option>" for name in names
    )
    return (
        '<form><label>Show the commands for <select name="site">'
        f"{options}</select></label> <button>Show</button></form>"
    )
