"""Zopes that log to no file of their own."""

import re

from tests.support.zopes.instances import ZopeInstance


def to_stderr(zope: ZopeInstance) -> None:
    """Nothing but the console, as images of containers have it."""
    if not zope.zope_ini.exists():
        conf = zope.zope_conf.read_text()
        conf = conf.replace("path $INSTANCE/log/event.log", "path STDERR")
        zope.zope_conf.write_text(conf.replace("path $INSTANCE/log/Z2.log", "path STDERR"))
        return
    ini = zope.zope_ini.read_text()
    ini = ini.replace("keys = console, accesslog, eventlog", "keys = console")
    ini = re.sub(r"^handlers = .*", "handlers = console", ini, flags=re.MULTILINE)
    zope.zope_ini.write_text(re.sub(r"\[handler_(accesslog|eventlog)\](\n\S.*)*", "", ini))
