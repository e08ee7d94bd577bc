"""The blob directories of the storages."""
