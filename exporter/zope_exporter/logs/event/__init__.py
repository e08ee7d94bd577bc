"""Event logs: records by severity and by pattern, in any format."""
