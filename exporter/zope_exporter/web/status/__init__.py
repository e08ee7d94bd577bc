"""The page for a person: what is OK, what is not, and why."""
