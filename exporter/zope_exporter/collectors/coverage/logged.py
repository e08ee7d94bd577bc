"""Whether the logs of a Zope or ZEO server are watched, and by what."""

from zope_exporter.collectors import agent, logs
from zope_exporter.collectors.agent import instance
from zope_exporter.logs.counters import COUNT_OF
from zope_exporter.logs.followed import agent_labels
from zope_exporter.logs.tail.lines import UNPARSED_LINES
from zope_exporter.logs.tail.sources import LogKind, LogSource
from zope_exporter.metrics.values import Values

from .evidence import Judged, Looked, together

BY_AGENT = "by the agent"
# As where an application of one's own makes Zope, without zope.ini and without the waitress.
_NO_HANDLER = "have what starts Zope configure logging, or name a file under logs: event:"
_NO_FILTER = (
    "put the filter egg:zope-exporter-agent#main around the application, or name a file under logs:"
    " access:"
)
_NO_FILE = "goes to no file that is followed, such as stderr or journald"


def access_log(look: Looked) -> Judged:
    """Judge the access log; where none is followed, an agent that answers counts the same."""
    return _known(look, "access") or _no_access_log(look)


def event_log(look: Looked) -> Judged:
    """Judge the event log, which every Zope and ZEO server writes to some place."""
    known = _known(look, "event")
    if known is not None:
        return known
    if look.service.config is None and not look.is_zope:
        return "absent", "none is configured"
    if not look.is_zope:
        return "blind", f"{_NO_FILE} (name a file under logs: event:)"
    if _agent_answers(look):
        return "blind", f"{_NO_FILE}, and the agent counts no records ({_NO_HANDLER})"
    return "blind", f"{_NO_FILE} (install the agent, or name a file under logs: event:)"


def _known(look: Looked, kind: LogKind) -> Judged | None:
    """What its files tell, or else syslog, or else the agent."""
    followed = _followed(look, kind)
    if followed is not None and followed[0] == "watched":
        return followed
    agents = _by_agent(look, kind)
    return agents or followed or _by_syslog(look)


def _followed(look: Looked, kind: LogKind) -> Judged | None:
    found = look.logs(kind)
    return together([_log(look, each) for each in found], "") if found else None


def _log(look: Looked, log: LogSource) -> Judged:
    reason = look.failure("logs", log.log)
    if reason:
        return "blind", reason
    if look.value(logs.SIZE, log.log) is None:
        return "blind", f"{log.path} was not read in time"
    lines = not_understood(look.evidence.values, log)
    return ("blind", lines) if lines else ("watched", log.log)


def not_understood(values: Values, log: LogSource) -> str:
    """Say so if no line of a log was understood, and there were some; else an empty text."""
    unparsed = values.get(UNPARSED_LINES, log.site, log.log) or 0.0
    if not unparsed or values.total(COUNT_OF[log.kind], log.site, log.log):
        return ""
    remedy = f"give its format: beside its path under logs: {log.kind}:"
    return f"{log.path}: none of its {unparsed:.0f} lines is of a known format ({remedy})"


def _by_syslog(look: Looked) -> Judged | None:
    if look.site.name not in look.evidence.logs.by_syslog:
        return None
    reason = look.failure("syslog", "")
    return ("blind", reason) if reason else ("watched", "by syslog")


def _by_agent(look: Looked, kind: LogKind) -> Judged | None:
    """What the agent counts inside Zope, where no file or syslog tells it."""
    site = look.site.name
    files = {log.log for each in COUNT_OF for log in look.evidence.files[site, each]}
    counted = look.evidence.values.labels(COUNT_OF[kind], site)
    found = {labels["log"] for labels in counted} - files
    zopes = [each.name for each in look.service.apart()]
    names = {name for zope in zopes for name in agent_labels(zope, kind)}
    return ("watched", BY_AGENT) if names & found else None


def _agent_answers(look: Looked) -> bool:
    return all(look.value(agent.UP, each.name) for each in look.service.apart())


def _no_access_log(look: Looked) -> Judged:
    if not look.is_zope:
        return "absent", "Zopes only"
    if all(look.value(instance.IN_PROGRESS, z.name) is not None for z in look.service.apart()):
        return "watched", "by the agent, which counts the answers"
    if _agent_answers(look):
        return "blind", f"the agent does not see the requests of this server ({_NO_FILTER})"
    if not any(code.endswith("#translogger") for code in look.service.pipeline_code):
        return "absent", "none is configured"
    return "blind", f"{_NO_FILE} (install the agent, or name a file under logs: access:)"
