"""Where the dashboards' runbooks are read: where those of the alerts are, if Grafana can know."""

from zope_exporter.alerting.rules.thresholds import Thresholds


def runbook_address(thresholds: Thresholds) -> str:
    """Return the address of a runbook, `<alert>` in it for the name of the alert.

    What Prometheus fills in is not filled in by Grafana; that has a variable for the exporters,
    which serve these pages too.
    """
    address = thresholds["runbook_url"]
    if "{{" not in address:
        return address
    scheme = "https" if "https://" in address else "http"
    return f"{scheme}://${{exporter}}/runbooks/<alert>"
