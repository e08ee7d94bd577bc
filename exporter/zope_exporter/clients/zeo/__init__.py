"""Asking ZEO servers how they are, and as a client that only reads for a pack and few records."""
