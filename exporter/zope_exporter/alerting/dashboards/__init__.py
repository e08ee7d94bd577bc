"""Grafana's dashboards, made of the declared metrics and the thresholds of the alerts."""
