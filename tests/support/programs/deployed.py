"""This project and a Zope on a host with systemd, as their manuals have them installed.

The wheel is in a virtual environment of its own at the path that the shipped units name; what it
depends on is that of the tests' own environment, so that nothing is fetched for it.
"""

import base64
import os
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.databases.maintained import TOKEN
from tests.support.programs.booted import Booted, User, booted
from tests.support.programs.commands import run
from tests.support.programs.processes import eventually
from tests.support.zopes.environments import Environment
from tests.support.zopes.manager import MANAGER
from zope_exporter.system.resources import shipped

TOP = Path(__file__).parents[3]
DEPLOY = shipped("deploy")
ZOPE = User("zope", 4711)
EXPORTER = Path("opt/zope-exporter")
DEPENDENCIES = Path("/opt/dependencies")
AGENT = Path("/opt/agent")
REPOSITORY = Path("backup/intranet")
URL = "http://127.0.0.1:9673"
ZOPE_URL = "http://127.0.0.1:8080"

CONFIG = """\
actions:
  token_file: token
  pack: {days: 0, cooldown: 0s}
  backup: {cooldown: 0s}
  verify: {cooldown: 0s}
sites:
  - name: zope
    backup: {repository: /backup/intranet}
"""

# The agent is on the path, which is all that its installation is for.
ZOPE_UNIT = """\
[Service]
User=zope
Environment=PYTHONPATH=%(agent)s
ExecStartPre=%(bin)s/mkwsgiinstance -d /srv/zope -u %(manager)s
ExecStart=%(bin)s/runwsgi /srv/zope/etc/zope.ini
TimeoutStopSec=5
"""


@contextmanager
def deployed(root: Path, zope: Environment) -> Iterator[Booted]:
    """A host whose systemd has booted, with a Zope that runs and the shipped units to be started.

    `root` becomes the tree of its files.
    """
    bound = {
        Path(sysconfig.get_path("purelib")): DEPENDENCIES,
        TOP / "exporter/agent": AGENT,
        zope.home: zope.home,
    }
    base = Path(sys.base_prefix)
    if not base.is_relative_to("/usr"):
        bound[base] = base
    with booted(root, (ZOPE,), bound) as host:
        _install(root)
        _configure(root, zope)
        host.systemctl("daemon-reload")
        host.systemctl("start", "zope.service")
        eventually(lambda: host.ask(ZOPE_URL)[0] == 200, 60)
        yield host


def commit(host: Booted) -> None:
    """Have the Zope commit two transactions, of which a pack leaves one."""
    login = base64.b64encode(":".join(MANAGER).encode()).decode()
    for title in ("one", "another"):
        form = f"title:string={title}"
        url = f"{ZOPE_URL}/manage_changeProperties"
        status, text = host.ask(url, form, {"Authorization": f"Basic {login}"})
        assert status == 200, text


def _install(root: Path) -> None:
    home, log = root / EXPORTER, root.with_name(root.name + "-install.log")
    wheels = root.with_name(root.name + "-wheels")
    build = "import sys, hatchling.build; hatchling.build.build_wheel(sys.argv[1])"
    run([sys.executable, "-c", build, wheels], log, cwd=TOP)
    [wheel] = wheels.glob("*.whl")
    run([sys.executable, "-m", "venv", home], log)
    run([home / "bin/python", "-m", "pip", "install", "--no-deps", "--no-index", wheel], log)
    script = home / "bin/zope-exporter"
    script.write_text(script.read_text().replace(str(root), ""))
    [packages] = home.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(f"{DEPENDENCIES}\n")


def _configure(root: Path, zope: Environment) -> None:
    units = root / "etc/systemd/system"
    for unit in DEPLOY.glob("*.*"):
        if unit.suffix in (".service", ".socket", ".timer"):
            shutil.copy(unit, units)
    zope_unit = ZOPE_UNIT % {"agent": AGENT, "bin": zope.home / "bin", "manager": ":".join(MANAGER)}
    (units / "zope.service").write_text(zope_unit)
    for owned in ("srv/zope", REPOSITORY):
        (root / owned).mkdir(parents=True)
        os.chown(root / owned, ZOPE.uid, ZOPE.uid)
    etc = root / "etc/zope-exporter"
    etc.mkdir()
    (etc / "config.yml").write_text(CONFIG)
    (etc / "token").write_text(TOKEN)
    (etc / "token").chmod(0o640)
    os.chown(etc / "token", 0, ZOPE.uid)
