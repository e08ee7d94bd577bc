"""Servers that refuse root: in a user namespace root is someone else, and owns its files still."""

AS_SOMEONE = ("/usr/bin/unshare", "--user", "--map-user=1000", "--map-group=1000")
