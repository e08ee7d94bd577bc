"""Why lines of a log may have gone uncounted."""

from typing import Literal, get_args

# - copytruncate: what was written while the log was being copied and truncated
# - truncated: what was written after the last look, as no copy of the file was found
# - replaced: the same, as neither the file nor a rotated one is there after a restart
# - unreadable: the rest of a rotated file
# - unordered: rotated files of which nobody can know whether they were written before or after what
#   was read; they are taken for older
# - missed: rotated files that were removed before they were read, or are compressed otherwise than
#   by gzip, bzip2 or xz
# - state: everything since the last look of an earlier run, or what that run had counted
Reason = Literal[
    "copytruncate", "truncated", "replaced", "unreadable", "unordered", "missed", "state"
]
REASONS: tuple[Reason, ...] = get_args(Reason)
