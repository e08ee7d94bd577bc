"""Putting back what was lost: shell only, and nothing that cannot be taken back."""
