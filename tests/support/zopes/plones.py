"""A real Plone, laid out as cookiecutter-zope-instance 3.1 does with either log setting."""

import re
from dataclasses import dataclass

from tests.support.programs.commands import run
from tests.support.zopes.instances import ZopeInstance
from tests.support.zopes.manager import MANAGER

_CONF = """\
%define INSTANCEHOME {home}
instancehome $INSTANCEHOME

%define CLIENTHOME {home}/var
clienthome $CLIENTHOME

debug-mode off
debug-exceptions off
security-policy-implementation C
verbose-security off
default-zpublisher-encoding utf-8

<environment>
    CHAMELEON_CACHE {home}/var/cache
    zope_i18n_compile_mo_files true
</environment>
<dos_protection>
    form-memory-limit 1MB
    form-disk-limit 1GB
    form-memfile-limit 4KB
    form-part-limit 1024
</dos_protection>

# Database
<zodb_db main>
    mount-point /
    cache-size 30000
    <filestorage>
        path {home}/var/filestorage/Data.fs
        blob-dir {home}/var/blobs
        pack-keep-old true
    </filestorage>
</zodb_db>
"""

_INI = """\
[app:zope]
use = egg:Zope#main
zope_conf = %(here)s/zope.conf

[server:main]
use = egg:waitress#main
listen = localhost:{port}
threads = {threads}
clear_untrusted_proxy_headers = false
max_request_body_size = 1073741824

[pipeline:main]
pipeline =
    translogger
    egg:Zope#httpexceptions
    zope

[filter:translogger]
use = egg:Paste#translogger
setup_console_handler = False

[loggers]
keys = root, wsgi, plone, waitress_queue, waitress

[handlers]
keys = console, eventlog, accesslog

[formatters]
keys = generic, message

[logger_root]
level = INFO
handlers = console, eventlog

[logger_wsgi]
level = INFO
handlers = console, eventlog, accesslog
qualname = wsgi
propagate = 0

[logger_plone]
level = INFO
handlers =
qualname = plone

[logger_waitress_queue]
level = INFO
handlers =
qualname = waitress.queue

[logger_waitress]
level = INFO
handlers =
qualname = waitress

[handler_console]
class = StreamHandler
args = (sys.stderr,)
level = NOTSET
formatter = generic

[handler_eventlog]
class = FileHandler
args = (r'{home}/var/log/instance.log', 'a')
kwargs = {{}}
level = NOTSET
formatter = generic

[handler_accesslog]
class = FileHandler
args = (r'{home}/var/log/instance-access.log', 'a')
kwargs = {{}}
level = INFO
formatter = message

[formatter_generic]
format = %(asctime)s %(levelname)-7.7s [%(name)s:%(lineno)s][%(threadName)s] %(message)s

[formatter_message]
format = %(message)s
"""

_ZCML = """\
<configure
    xmlns="http://namespaces.zope.org/zope"
    xmlns:meta="http://namespaces.zope.org/meta"
    xmlns:five="http://namespaces.zope.org/five">
  <include package="Products.Five" />
  <meta:redefinePermission from="zope2.Public" to="zope.Public" />
  <five:loadProducts file="meta.zcml"/>
  <five:loadProducts />
  <five:loadProductsOverrides />
  <securityPolicy component="AccessControl.security.SecurityPolicy" />
</configure>
"""

# For zconsole. The site has a page that fails.
_CREATE = f"""\
import transaction
from AccessControl.SecurityManagement import newSecurityManager
from OFS.DTMLMethod import DTMLMethod
from Products.CMFPlone.factory import addPloneSite
from Testing.makerequest import makerequest
from zope.globalrequest import setRequest

name, password = {MANAGER!r}
app = makerequest(app)
setRequest(app.REQUEST)
app.acl_users._doAddUser(name, password, ["Manager"], [])
newSecurityManager(None, app.acl_users.getUser(name).__of__(app.acl_users))
site = addPloneSite(app, "Plone", setup_content=False)
site._setObject("boom", DTMLMethod('<dtml-var "nothing[1]">', __name__="boom"))
transaction.commit()
"""


@dataclass
class PloneInstance(ZopeInstance):
    """With a site called Plone in it; without `log_file`, as by default, all it logs is stderr."""

    log_file: bool = True

    def start(self, timeout: float = 300) -> None:
        super().start(timeout)

    def _make(self) -> None:
        # A manager without a browser deletes it in a request; plone.protect wants a form for that.
        self.environ = {**self.environ, "PLONE_CSRF_DISABLED": "true"}
        for directory in ("etc", "var/blobs", "var/cache", "var/filestorage", "var/log"):
            (self.home / directory).mkdir(parents=True)
        self.zope_conf.write_text(_CONF.format(home=self.home))
        ini = _INI.format(home=self.home, port=self.port, threads=self.threads)
        self.zope_ini.write_text(ini if self.log_file else _to_stderr(ini))
        (self.home / "etc/site.zcml").write_text(_ZCML)
        create = self.home.with_name(self.home.name + "-create.py")
        create.write_text(_CREATE)
        zconsole = self.environment.script("zconsole")
        run([zconsole, "run", self.zope_conf, create], self._log, timeout=300)


def _to_stderr(ini: str) -> str:
    without = re.sub(r"\[handler_(?:eventlog|accesslog)\]\n(?:\w.*\n)*", "", ini)
    return re.sub(r", (?:eventlog|accesslog)\b", "", without)
