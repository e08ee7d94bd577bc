"""What is OK, what is not and what is not watched: for `check` and for the status page."""
