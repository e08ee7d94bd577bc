"""Access logs: requests by method and code, in any format."""
