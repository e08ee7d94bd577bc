"""What a metric and a collector are, and the registry that runs all collectors."""
