"""Asking ZEO servers how they are, without becoming one of their clients."""
