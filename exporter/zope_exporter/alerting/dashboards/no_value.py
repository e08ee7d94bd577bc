"""What a panel says instead of "no data": what would have to be there for it to show something."""

import re
from collections.abc import Iterable

NO_DATA = "no data"

_AGENT = "needs the agent"
_LOG = "needs a log that is read"
_DURATIONS = "needs the agent, or an access log with durations"
_REQUESTS = "needs the agent, or an access log with the errors in it"

# Each says what is needed and not what is the case: without the exporter there is no data either.
# By how the names of metrics begin, the longest first that fits.
_TEXTS = {
    "zope_actions_": "needs actions: in the configuration",
    "zope_backup_": "needs a backup",
    "zope_blob_": "needs a blob directory",
    "zope_broken_": _AGENT,
    "zope_distribution_": _AGENT,
    "zope_cache_": _AGENT,
    "zope_conflicts_": _AGENT,
    "zope_connection": _AGENT,
    "zope_event_log_": "needs the agent, or a log that is read",
    "zope_http_connection": _AGENT,
    "zope_http_request_duration": _DURATIONS,
    "zope_http_re": "needs the agent, or a log that is read",
    "zope_instance_": _AGENT,
    "zope_log_": _LOG,
    "zope_object_": _AGENT,
    "zope_pack_": _AGENT,
    "zope_plone_": "needs a Plone site in a database that is read",
    "zope_ping_": "needs an address to probe",
    "zope_process_memory_limit_": "needs a memory limit",
    "zope_request": _AGENT,
    "zope_request_duration": _DURATIONS,
    "zope_syslog_": "needs syslog",
    "zope_view_": _AGENT,
    "zope_watchdog_": "needs a watchdog",
    "zope_webhook_": "needs Alertmanager",
    "zope_worker_": _AGENT,
    "zope_write_": _AGENT,
    "zope_wsgi_": _AGENT,
    "zope_zeo_": "needs ZEO",
    "zope_zmi_": "needs the management pages",
}
_NAME = re.compile(r"\bzope_[a-z_]+")


def no_value(exprs: Iterable[str]) -> str:
    """Return what queries lack that give nothing, "no data" where that may be several things."""
    exprs = list(exprs)
    if all("ALERTS{" in expr for expr in exprs):
        return "none"
    names = {name for expr in exprs for name in _NAME.findall(expr)}
    if {"zope_wsgi_responses_total", "zope_http_requests_total"} <= names:
        return _REQUESTS
    found = {_text(name) for name in names} - {""}
    needed = found.pop() if len(found) == 1 else ""
    if all(expr.endswith("> 0") for expr in exprs):  # what was none is not shown
        return f"none ({needed})" if needed else "none"
    return needed or NO_DATA


def _text(name: str) -> str:
    fitting = [start for start in _TEXTS if name.startswith(start)]
    return _TEXTS[max(fitting, key=len)] if fitting else ""
