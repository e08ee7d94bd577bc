"""Makes the dashboards of this directory: `python -m grafana.generator`."""
