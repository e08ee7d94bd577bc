"""The page for a person: what is well, what is not, and why."""
