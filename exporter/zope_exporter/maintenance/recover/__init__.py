"""Getting out of a damaged Data.fs what is still whole in it."""
