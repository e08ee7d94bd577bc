"""One Zope process: what it takes from the machine, what it is, what it does."""

from zope_exporter.alerting.thresholds import Limits

from .dashboard import Dashboard, Row
from .field_config import AGO, BYTES, COUNT, FAULTS, PER_SECOND, RATIO, REQUESTS, SET, UP, rising
from .panels import Panel, Query, series, series_of, stat, states, states_of
from .queries import SITE, Metrics, busy_ratio
from .tables import listing

_VERSIONS = (
    "site",
    "zope",
    "zope_version",
    "plone_version",
    "zodb_version",
    "zeo_version",
    "relstorage_version",
    "python_version",
    "server",
    "agent_version",
)


def instance(m: Metrics, limits: Limits) -> Dashboard:
    """Return the dashboard of single processes."""
    return Dashboard(
        "zope-instance",
        "Zope / Instance",
        "Single Zopes: memory, processor, files, worker threads, versions and configuration.",
        (
            Row("State", _state(m)),
            Row("Process", _process(m, limits)),
            Row("Work", _work(m, limits)),
            Row("What it is", _identity(m)),
        ),
        variables=("site", "zope"),
    )


def _state(m: Metrics) -> tuple[Panel, ...]:
    return (
        states_of(
            m,
            "zope_process_up",
            "Running",
            "{{instance}} {{site}} {{zope}}",
            UP,
            width=12,
            height=5,
        ),
        stat(
            "Last start",
            "When that Zope was started which runs for the shortest time.",
            f"max({m('zope_process_start_time_seconds')}) * 1000",
            AGO,
            height=5,
        ),
        stat(
            "Debug mode",
            m.help("zope_instance_debug_mode"),
            f"max({m('zope_instance_debug_mode')})",
            SET,
            height=5,
            runbooks=("ZopeDebugModeOn",),
        ),
        stat(
            "Broken classes",
            m.help("zope_broken_classes"),
            f"sum({m('zope_broken_classes')})",
            FAULTS,
            height=5,
        ),
    )


def _process(m: Metrics, limits: Limits) -> tuple[Panel, ...]:
    memory, limit = m("zope_process_resident_memory_bytes"), m("zope_process_memory_limit_bytes")
    files, most = m("zope_process_open_fds"), m("zope_process_max_fds")
    return (
        series(
            "Memory",
            m.help("zope_process_resident_memory_bytes"),
            [
                Query(memory, "{{instance}} {{site}} {{zope}}"),
                Query(limit, "{{instance}} {{site}} {{zope}} limit"),
            ],
            BYTES,
        ),
        series(
            "Memory against the limit",
            m.help("zope_process_memory_limit_bytes"),
            [Query(f"{memory} / on ({SITE}, zope) {limit}", "{{instance}} {{site}} {{zope}}")],
            rising("percentunit", limits.memory, minimum=0),
            runbooks=("ZopeMemoryNearLimit",),
        ),
        series(
            "Processor",
            "Processors' worth of time that each process takes; Python rarely gets past 1.",
            [Query(m.rate("zope_process_cpu_seconds_total"), "{{instance}} {{site}} {{zope}}")],
            RATIO,
        ),
        series(
            "Open files and sockets",
            "Part of what the process may open at most.",
            [Query(f"{files} / on ({SITE}, zope) {most}", "{{instance}} {{site}} {{zope}}")],
            rising("percentunit", limits.open_files, minimum=0),
            runbooks=("ZopeFileDescriptorsNearLimit",),
        ),
        series_of(m, "zope_process_threads", "Threads", "{{instance}} {{site}} {{zope}}", COUNT),
        series(
            "Client connections",
            m.help("zope_http_connections"),
            [
                Query(m("zope_http_connections"), "{{instance}} {{site}} {{zope}}"),
                Query(m("zope_http_connection_limit"), "{{instance}} {{site}} {{zope}} limit"),
            ],
            COUNT,
        ),
    )


def _work(m: Metrics, limits: Limits) -> tuple[Panel, ...]:
    exceptions = f"sum by ({SITE}, zope, exception) ({m.rate('zope_request_exceptions_total')})"
    long = m("zope_requests_long")
    started = m.lasts("zope_request_oldest_start_timestamp_seconds")
    return (
        series(
            "Busy workers",
            "Part of the worker threads that is busy with a request.",
            [Query(busy_ratio(m), "{{instance}} {{site}} {{zope}}")],
            rising("percentunit", limits.workers_busy, 1, minimum=0, maximum=1),
            runbooks=("ZopeWorkersSaturated",),
        ),
        series(
            "Requests",
            "In progress, waiting for a worker thread, and long ones.",
            [
                Query(m("zope_requests_in_progress"), "{{instance}} {{site}} {{zope}} in progress"),
                Query(m("zope_request_queue_length"), "{{instance}} {{site}} {{zope}} waiting"),
                Query(long, "{{instance}} {{site}} {{zope}} long"),
            ],
            COUNT,
        ),
        series(
            "Answers",
            m.help("zope_wsgi_responses_total"),
            [
                Query(
                    f"sum by ({SITE}, zope) ({m.rate('zope_wsgi_responses_total')})",
                    "{{instance}} {{site}} {{zope}}",
                )
            ],
            REQUESTS,
        ),
        series(
            "Exceptions",
            m.help("zope_request_exceptions_total"),
            [Query(f"{exceptions} > 0", "{{instance}} {{site}} {{zope}} {{exception}}")],
            PER_SECOND,
        ),
        series(
            "Longest request",
            "For how long the oldest request in progress has been running, and after how long "
            "Zope counts one as long.",
            [
                Query(started, "{{instance}} {{site}} {{zope}}"),
                Query(
                    m("zope_request_long_threshold_seconds"),
                    "{{instance}} {{site}} {{zope}} not long, at most",
                ),
            ],
            rising("s", limits.request_stuck),
            runbooks=("ZopeRequestStuck",),
        ),
        states(
            "Agent or management pages",
            f"{m.help('zope_agent_up')} {m.help('zope_zmi_up')}",
            [
                Query(m("zope_agent_up"), "{{instance}} {{site}} {{zope}} agent"),
                Query(m("zope_zmi_up"), "{{instance}} {{site}} {{zope}} management pages"),
            ],
            UP,
            width=8,
            height=8,
        ),
    )


def _identity(m: Metrics) -> tuple[Panel, ...]:
    return (
        listing("Versions", m.help("zope_instance_info"), m("zope_instance_info"), _VERSIONS),
        listing(
            "Configuration",
            m.help("zope_instance_config_info"),
            m("zope_instance_config_info"),
            ("site", "zope", "config_hash"),
            runbooks=("ZopeVersionDrift",),
        ),
    )
