"""Lines as others pass them on: within JSON, behind a prefix, in colours."""
