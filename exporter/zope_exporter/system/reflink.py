"""Copies of files that take no room, where the file system shares blocks: Btrfs, XFS, ZFS."""

import fcntl

FICLONE = 0x40049409


def clone(source: int, target: int) -> bool:
    """Let an open file have what is in another; False if that cannot be, and it has nothing then.

    Each is a file of its own: what is written to one of them later, or damages it, is not in both.
    """
    try:
        fcntl.ioctl(target, FICLONE, source)
    except OSError:
        return False
    return True
