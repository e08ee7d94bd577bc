"""Why lines of a log may have gone uncounted.

- copytruncate: what was written while the log was being copied and truncated
- truncated: what was written after the last look, as no copy of the file was found
- replaced: the same, as neither the file nor a rotated one is there after a restart
- unreadable: the rest of a rotated file
- unordered: rotated files of which nobody can know whether they were written before or after what
  was read; they are taken for older
- state: everything since the last look of an earlier run, or what that run had counted
"""

from typing import Literal, get_args

Reason = Literal["copytruncate", "truncated", "replaced", "unreadable", "unordered", "state"]
REASONS: tuple[Reason, ...] = get_args(Reason)
