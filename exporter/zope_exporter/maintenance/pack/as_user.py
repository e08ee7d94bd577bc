"""The program that runs another as some user: UID GID FILE COMMAND...

The other one finds what is in FILE under the path that is put after COMMAND, and nobody else does:
neither as a file of that user's, nor on the command line.
"""

import os
import sys
from pathlib import Path

from .other_user import become


def main(uid: int, gid: int, file: Path, command: list[str]) -> None:
    content = file.read_bytes()
    become(uid, gid)
    descriptor = os.memfd_create("zope-exporter", 0)
    os.write(descriptor, content)
    # The command is of the Zope's own environment, as discovery found it.
    os.execv(command[0], [*command, f"/proc/self/fd/{descriptor}"])  # noqa: S606  no shell


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
