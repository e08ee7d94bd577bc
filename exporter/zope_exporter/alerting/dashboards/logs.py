"""What the logs tell and how they fare, and the probes from outside."""

from zope_exporter.alerting.thresholds import Limits

from .dashboard import Dashboard, Row
from .field_config import (
    BYTES,
    BYTES_PER_SECOND,
    COUNT,
    GREEN,
    GREY,
    ORANGE,
    RED,
    REQUESTS,
    SECONDS,
    SET,
    UP,
    YELLOW,
    FieldConfig,
    Step,
    falling,
    rising,
)
from .panels import Panel, Query, events, events_of, series, series_of, states, states_of
from .queries import SITE, Metrics

_NAMED = "{{instance}} {{site}} {{log}}"
# Some servers log no request that failed: worth knowing, nothing that somebody has to repair.
_COMPLETE = FieldConfig(
    "short", (Step(1, GREEN),), base=YELLOW, names={1.0: ("yes", GREEN), 0.0: ("no", YELLOW)}
)
_STATUS = FieldConfig("none", (Step(200, GREEN), Step(400, ORANGE), Step(500, RED)), base=GREY)
_FAILURE = FieldConfig("short", (Step(1, RED),), base=GREY, names={1.0: ("failed", RED)})
_CONTENT = FieldConfig(
    "short", (Step(1, GREEN),), base=RED, names={1.0: ("as expected", GREEN), 0.0: ("other", RED)}
)


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
    records = f"sum by ({SITE}, severity) ({m.increase('zope_event_log_records_total')})"
    matches = f"sum by ({SITE}, pattern) ({m.increase('zope_event_log_matches_total')})"
    return (
        events(
            "Records by severity",
            "Records within each step of the graph.",
            [Query(f"{records} > 0", "{{instance}} {{site}} {{severity}}")],
            width=12,
            runbooks=("ZopeLogErrors", "ZopeLogCritical"),
        ),
        events(
            "Records by pattern",
            "Records within each step of the graph that hold one of the known patterns.",
            [Query(f"{matches} > 0", "{{instance}} {{site}} {{pattern}}")],
            width=12,
        ),
    )


def _access(m: Metrics) -> tuple[Panel, ...]:
    requests = f"sum by ({SITE}, log, code) ({m.rate('zope_http_requests_total')})"
    sent = f"sum by ({SITE}, log) ({m.rate('zope_http_response_bytes_total')})"
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
        states_of(
            m,
            "zope_access_log_complete",
            "Access log has the failed requests",
            "{{instance}} {{site}} {{zope}}",
            _COMPLETE,
            width=8,
            height=8,
        ),
    )


def _files(m: Metrics, limits: Limits) -> tuple[Panel, ...]:
    oldest = m.since("zope_log_oldest_line_timestamp_seconds")
    return (
        series_of(
            m,
            "zope_log_size_bytes",
            "Size",
            _NAMED,
            rising("bytes", limits.log_bytes),
            runbooks=("ZopeLogTooLarge",),
        ),
        series("Oldest line", "Age of the first line.", [Query(oldest, _NAMED)], SECONDS),
        states_of(
            m,
            "zope_log_reopen_needed",
            "Written to a renamed file",
            _NAMED,
            SET,
            width=8,
            height=8,
            runbooks=("ZopeLogReopenNeeded",),
        ),
        series_of(m, "zope_log_unread_bytes", "Not read yet", _NAMED, BYTES),
        events_of(m, "zope_log_unparsed_lines_total", "Lines of another format", _NAMED),
        events_of(m, "zope_log_resets_total", "Lines lost", f"{_NAMED} {{{{reason}}}}"),
        series_of(
            m, "zope_log_difference", "Counted by the agent beyond the log", _NAMED, COUNT, width=24
        ),
    )


def _probes(m: Metrics, limits: Limits) -> tuple[Panel, ...]:
    named = "{{instance}} {{site}} {{target}}"
    phases = f"avg by ({SITE}, phase) ({m('zope_ping_phase_duration_seconds')})"
    expiry = m("zope_ping_certificate_expiry_timestamp_seconds")
    return (
        states_of(
            m, "zope_ping_up", "Answers", named, UP, width=8, height=8, runbooks=("ZopeTargetDown",)
        ),
        series_of(
            m,
            "zope_ping_duration_seconds",
            "Duration",
            named,
            rising("s", limits.ping_slow),
            runbooks=("ZopePingSlow",),
        ),
        series(
            "Duration by phase",
            m.help("zope_ping_phase_duration_seconds"),
            [Query(phases, "{{instance}} {{phase}}")],
            SECONDS,
            stacked=True,
            top=0.1,
        ),
        states(
            "Failures by reason",
            m.help("zope_ping_failure"),
            Query(f"{m('zope_ping_failure')} > 0", f"{named} {{{{reason}}}}"),
            _FAILURE,
            width=12,
            height=8,
        ),
        states_of(
            m,
            "zope_ping_status_code",
            "Status code",
            named,
            _STATUS,
            value="auto",
            width=12,
            height=8,
        ),
        states_of(m, "zope_ping_content_match", "Content", named, _CONTENT, width=12, height=8),
        series(
            "Certificates expire in",
            m.help("zope_ping_certificate_expiry_timestamp_seconds"),
            [Query(f"{expiry} - time()", named)],
            falling("s", limits.certificate_critical, limits.certificate),
            width=12,
            runbooks=("ZopeCertificateExpiring",),
        ),
    )
