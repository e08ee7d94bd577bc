"""What can be wrong with a ZMI."""


class ZmiError(Exception):
    """The ZMI could not be visited, or is not as it is known to be: says why, to people."""
