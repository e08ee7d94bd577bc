"""Going on as another user, with that user's rights and no others, in a program of its own.

This one runs another as some user: UID GID FILE COMMAND...

The other one finds what is in FILE under the path that is put after COMMAND, and nobody else does:
neither as a file of that user's, nor on the command line.
"""

import os
import pwd
import sys
from pathlib import Path

from zope_exporter.system.subprocesses import still_dying_with_parent


def become(uid: int, gid: int) -> None:
    """As root, be that user from now on; anybody else, and root that shall stay root, stays.

    The supplementary groups are those the user has here. One of a container has no entry, and is
    given none: root's own would open what is root's, adm's, disk's.
    """
    if os.geteuid() != 0 or uid == 0:
        return
    try:
        groups = os.getgrouplist(pwd.getpwuid(uid).pw_name, gid)
    except KeyError:
        groups = [gid]
    with still_dying_with_parent():
        os.setgroups(groups)
        os.setgid(gid)
        os.setuid(uid)


def main(uid: int, gid: int, file: Path, command: list[str]) -> None:
    content = file.read_bytes()
    become(uid, gid)
    descriptor = os.memfd_create("zope-exporter", 0)
    os.write(descriptor, content)
    # The command is of the Zope's own environment, as discovery found it.
    os.execv(command[0], [*command, f"/proc/self/fd/{descriptor}"])  # noqa: S606  no shell


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
