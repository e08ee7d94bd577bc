"""What can be wrong with a ZEO server."""


class ZeoError(Exception):
    """A ZEO server could not be asked, so that nothing is known of it: says why, to people."""


class NoAnswerError(ZeoError):
    """Nobody is there, or whoever is there says nothing at all."""


class NonsenseError(ZeoError):
    """What is there does not answer as a ZEO server does."""
