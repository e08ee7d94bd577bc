"""What the logs tell and how they fare, and the probes from outside."""

from .dashboard import Dashboard, Row
from .limits import Limits
from .looks import (
    BYTES,
    BYTES_PER_SECOND,
    COUNT,
    REQUESTS,
    SECONDS,
    SET,
    SUCCESS,
    UP,
    falling,
    rising,
)
from .metrics import Metrics
from .panel import Look, Panel, Query, runbook
from .requests import RATE
from .shapes import series, states

_NAMED = "{{site}} {{log}}"


def logs(m: Metrics, limits: Limits) -> Dashboard:
    """Return the dashboard of logs and probes."""
    return Dashboard(
        "zope-logs",
        "Zope / Logs and probes",
        "Event logs by severity and pattern, access logs, the files themselves, and the probes.",
        (
            Row("Event logs", _events(m)),
            Row("Access logs", _access(m)),
            Row("Files", _files(m, limits)),
            Row("Probes", _probes(m, limits)),
        ),
    )


def _events(m: Metrics) -> tuple[Panel, ...]:
    records = f"sum by (site, severity) (increase({m('zope_event_log_records_total')}[{RATE}]))"
    matches = f"sum by (site, pattern) (increase({m('zope_event_log_matches_total')}[{RATE}]))"
    return (
        series(
            "Records by severity",
            "Records within each step of the graph.",
            [Query(f"{records} > 0", "{{site}} {{severity}}")],
            COUNT,
            width=12,
            links=(runbook("ZopeLogErrors"), runbook("ZopeLogCritical")),
        ),
        series(
            "Records by pattern",
            "Records within each step of the graph that hold one of the known patterns.",
            [Query(f"{matches} > 0", "{{site}} {{pattern}}")],
            COUNT,
            width=12,
        ),
    )


def _access(m: Metrics) -> tuple[Panel, ...]:
    requests = f"sum by (site, log, code) (rate({m('zope_http_requests_total')}[{RATE}]))"
    sent = f"sum by (site, log) (rate({m('zope_http_response_bytes_total')}[{RATE}]))"
    complete = m("zope_access_log_complete")
    return (
        series(
            "Requests as logged",
            m.help("zope_http_requests_total"),
            [Query(f"{requests} > 0", f"{_NAMED} {{{{code}}}}")],
            REQUESTS,
            stacked=True,
        ),
        series(
            "Sent, as logged",
            m.help("zope_http_response_bytes_total"),
            [Query(sent, _NAMED)],
            BYTES_PER_SECOND,
        ),
        states(
            "The access log has the errors",
            m.help("zope_access_log_complete"),
            Query(complete, "{{site}} {{zope}}"),
            SUCCESS,
            width=8,
            height=8,
        ),
    )


def _files(m: Metrics, limits: Limits) -> tuple[Panel, ...]:
    oldest = f"time() - {m('zope_log_oldest_line_timestamp_seconds')}"
    resets = f"increase({m('zope_log_resets_total')}[{RATE}])"
    unparsed = f"increase({m('zope_log_unparsed_lines_total')}[{RATE}])"
    return (
        series(
            "Size",
            m.help("zope_log_size_bytes"),
            [Query(m("zope_log_size_bytes"), _NAMED)],
            rising("bytes", limits.log_size_bytes),
            links=(runbook("ZopeLogTooLarge"),),
        ),
        series("Oldest line", "Age of the first line.", [Query(oldest, _NAMED)], SECONDS),
        states(
            "Written to a renamed file",
            m.help("zope_log_reopen_needed"),
            Query(m("zope_log_reopen_needed"), _NAMED),
            SET,
            width=8,
            height=8,
            links=(runbook("ZopeLogReopenNeeded"),),
        ),
        series(
            "Not read yet",
            m.help("zope_log_unread_bytes"),
            [Query(m("zope_log_unread_bytes"), _NAMED)],
            BYTES,
        ),
        series(
            "Lines of another format",
            m.help("zope_log_unparsed_lines_total"),
            [Query(f"{unparsed} > 0", _NAMED)],
            COUNT,
        ),
        series(
            "Lines lost",
            m.help("zope_log_resets_total"),
            [Query(f"{resets} > 0", f"{_NAMED} {{{{reason}}}}")],
            COUNT,
        ),
    )


def _probes(m: Metrics, limits: Limits) -> tuple[Panel, ...]:
    named = "{{site}} {{target}}"
    phases = f"avg by (phase) ({m('zope_ping_phase_duration_seconds')})"
    expiry = m("zope_ping_certificate_expiry_timestamp_seconds")
    return (
        states(
            "Answers",
            m.help("zope_ping_up"),
            Query(m("zope_ping_up"), named),
            UP,
            width=8,
            height=8,
            links=(runbook("ZopeTargetDown"),),
        ),
        series(
            "Duration",
            m.help("zope_ping_duration_seconds"),
            [Query(m("zope_ping_duration_seconds"), named)],
            rising("s", limits.slow_ping_seconds),
            links=(runbook("ZopePingSlow"),),
        ),
        series(
            "Duration by phase",
            m.help("zope_ping_phase_duration_seconds"),
            [Query(phases, "{{phase}}")],
            SECONDS,
            stacked=True,
        ),
        series(
            "Failures by reason",
            m.help("zope_ping_failure"),
            [Query(f"{m('zope_ping_failure')} > 0", f"{named} {{{{reason}}}}")],
            COUNT,
        ),
        series(
            "Status code and content",
            f"{m.help('zope_ping_status_code')} {m.help('zope_ping_content_match')}",
            [
                Query(m("zope_ping_status_code"), f"{named} status"),
                Query(m("zope_ping_content_match"), f"{named} content"),
            ],
            Look("none"),
        ),
        series(
            "Certificates expire in",
            m.help("zope_ping_certificate_expiry_timestamp_seconds"),
            [Query(f"{expiry} - time()", named)],
            falling("s", limits.certificate_critical_seconds, limits.certificate_seconds),
            links=(runbook("ZopeCertificateExpiring"),),
        ),
    )
