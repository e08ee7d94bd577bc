"""Zope in a container, laid out as plone/plone-backend lays out Plone.

Its configuration is in the image, only /data is a volume; it is started by relative paths as user
500 through a script that chooses a configuration by the environment; its logs go to stderr.
"""

import json
from collections.abc import Callable
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.support.programs.images import ZOPE
from tests.support.programs.podman import Container, Engine
from tests.support.programs.processes import eventually
from zope_exporter.clients.agent.package import shipped

IMAGE = "localhost/backend:latest"
USER = "500:1000"
ADDONS = "/addons"
URL = "http://127.0.0.1:9673"  # of an exporter beside it

_DOCKERFILE = f"""\
FROM {ZOPE}
SHELL ["/bin/bash", "-c"]
COPY app /app
COPY addons {ADDONS}
RUN mkdir -p /data/filestorage /data/blobstorage \\
    && ln -s /data /app/var \\
    && chown -R {USER} /data /app/etc \\
    && chown {USER} /app /app/bin /app/lib/python3*/site-packages{{,/Products}}
WORKDIR /app
USER {USER}
EXPOSE 8080
VOLUME /data
ENTRYPOINT ["/app/docker-entrypoint.sh"]
"""

_ENTRYPOINT = """\
#!/bin/sh
set -e
export CLIENT_HOME="/data/$(hostname)/$(hostid)"
mkdir -p "$CLIENT_HOME"
CONF=zope.conf
if [ -n "$RELSTORAGE_DSN" ]; then CONF=relstorage.conf; fi
if [ -n "$ZEO_ADDRESS" ]; then CONF=zeo.conf; fi
if [ -n "$ADDONS" ]; then /app/bin/pip install $ADDONS $PIP_PARAMS; fi
exec /app/bin/runwsgi -v etc/zope.ini config_file=$CONF
"""

_INI = """\
[app:zope]
use = egg:Zope#main
zope_conf = %(here)s/%(config_file)s

[server:main]
use = egg:waitress#main
listen = 0.0.0.0:8080
threads = 2

[filter:translogger]
use = egg:Paste#translogger
setup_console_handler = False

[pipeline:main]
pipeline =
    translogger
    egg:Zope#httpexceptions
    zope

[loggers]
keys = root, wsgi

[handlers]
keys = console

[formatters]
keys = generic, message

[logger_root]
level = INFO
handlers = console

[logger_wsgi]
level = INFO
handlers = console
qualname = wsgi
propagate = 0

[handler_console]
class = StreamHandler
args = (sys.stderr,)
level = NOTSET
formatter = generic

[formatter_generic]
format = %(asctime)s %(levelname)-7.7s [%(name)s:%(lineno)s] %(message)s

[formatter_message]
format = %(message)s
"""

_CONF = """\
%define INSTANCE /app
instancehome $INSTANCE
clienthome $(CLIENT_HOME)
debug-mode off
<zodb_db main>
  mount-point /
  cache-size 1234
{storage}</zodb_db>
"""

_STORAGES = {
    "zope.conf": """\
  <blobstorage>
    blob-dir /app/var/blobstorage
    <filestorage>
      path $INSTANCE/var/filestorage/Data.fs
    </filestorage>
  </blobstorage>
""",
    "zeo.conf": """\
  <zeoclient>
    server $(ZEO_ADDRESS)
    storage 1
  </zeoclient>
""",
    "relstorage.conf": """\
  %import relstorage
  <relstorage>
    <sqlite3>
      data-dir $(RELSTORAGE_DSN)
    </sqlite3>
  </relstorage>
""",
}

_ZEO_CONF = """\
<zeo>
  address 127.0.0.1:8100
</zeo>
<filestorage 1>
  path /data/filestorage/Data.fs
</filestorage>
"""

_ASK = """\
import json, sys, urllib.error, urllib.request
try:
    answer = urllib.request.urlopen(sys.argv[1], timeout=30)
except urllib.error.HTTPError as error:
    answer = error
except OSError as error:
    print(json.dumps([0, str(error)]))
    sys.exit()
print(json.dumps([answer.status, answer.read().decode()]))
"""


def build(engine: Engine, context: Path) -> str:
    """Build the image, with the agent as an add-on that it is told of when it is started."""
    addons = context / "addons"
    write_configuration(context / "app/etc")
    addons.mkdir()
    (context / "Dockerfile").write_text(_DOCKERFILE)
    entrypoint = context / "app/docker-entrypoint.sh"
    entrypoint.write_text(_ENTRYPOINT)
    entrypoint.chmod(0o755)
    (context / "app/etc/zeoserver.conf").write_text(_ZEO_CONF)
    shipped().write_wheel(addons)
    engine.build(context, IMAGE)
    return IMAGE


def write_configuration(etc: Path, app: str = "/app", listen: str = "0.0.0.0:8080") -> None:
    """Write what the image has to `etc`, which is made, for a Zope in the directory `app`."""
    etc.mkdir(parents=True)
    (etc / "zope.ini").write_text(_INI.replace("0.0.0.0:8080", listen))
    for name, storage in _STORAGES.items():
        (etc / name).write_text(_CONF.format(storage=storage).replace("/app", app))


def addon() -> str:
    package = shipped()
    return f"{ADDONS}/{package.name.replace('-', '_')}-{package.version}-py2.py3-none-any.whl"


def start(engine: Engine, *flags: str, agent: bool = True) -> Container:
    """Start it, and wait until it answers; by itself it has a network of its own."""
    environ = ("--env", f"ADDONS={addon()}", "--env", "PIP_PARAMS=--no-index") if agent else ()
    backend = engine.start(IMAGE, flags=(*environ, *flags))
    until(backend, lambda: ask(backend, "http://127.0.0.1:8080/")[0] == 200)
    return backend


def start_zeo(engine: Engine) -> Container:
    """Start it with a ZEO server in its network, of which its environment tells."""
    words = "/app/bin/runzeo", "-C", "/app/etc/zeoserver.conf"
    server = engine.start(IMAGE, *words, flags=("--entrypoint=/usr/bin/env",))
    environ = "--env", "ZEO_ADDRESS=127.0.0.1:8100"
    return start(engine, f"--network=container:{server.name}", *environ, agent=False)


def ask(container: Container, url: str) -> tuple[int, str]:
    """What is answered to a process in the container's network; status 0 for nobody."""
    find = "command -v /app/bin/python || echo python"
    python = container.run("sh", "-c", find).stdout.strip()
    done = container.run(python, "-c", _ASK, url)
    if done.returncode:
        return 0, done.stderr
    status, text = json.loads(done.stdout)
    return int(status), str(text)


def value(exporter: Container, name: str, **labels: str) -> float | None:
    """What one series of a scrape tells; None if it is absent."""
    status, text = ask(exporter, f"{URL}/metrics")
    for family in text_string_to_metric_families(text if status == 200 else ""):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return float(sample.value)
    return None


def until(container: Container, look: Callable[[], bool]) -> None:
    """Wait for `look`; AssertionError with the container's log if it never is true."""
    try:
        eventually(look)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{container.logs()}") from None
