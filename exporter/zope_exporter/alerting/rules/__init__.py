"""The shipped alerting rules, made from their sources and thresholds."""
