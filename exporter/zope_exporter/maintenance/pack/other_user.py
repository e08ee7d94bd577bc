"""Going on as another user, in a program of its own: with the rights of that user and no others."""

import os
import pwd

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
