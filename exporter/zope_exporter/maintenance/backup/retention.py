"""Which backups are kept beside the newest ones: by age, and one a day, week and month.

Days, weeks (from Monday) and months are those of UTC, as in the stamps. One without a backup does
not count: of a site that stood still for a year the last seven days with backups are kept.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from .repository import Backup
from .stamps import time_of

_ZERO = datetime(1, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Retention:
    """Each rule keeps some more; none of them removes what another keeps.

    All of the last `seconds` can be restored, the state at their beginning too; and the newest
    backup of each of the last `daily` days, `weekly` weeks and `monthly` months that have any.
    """

    seconds: float = 0.0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0


def kept_beside(complete: Sequence[Backup], rules: Retention, now: float) -> Iterator[Backup]:
    """Yield the backups to keep, of those that are complete, the oldest first."""
    newest_first = [(_moment(backup), backup) for backup in reversed(complete)]
    if rules.seconds > 0:
        for moment, backup in newest_first:
            yield backup
            if moment.timestamp() <= now - rules.seconds:
                break
    yield from _periods(newest_first, rules.daily, lambda moment: moment.date())
    yield from _periods(newest_first, rules.weekly, lambda moment: moment.isocalendar()[:2])
    yield from _periods(newest_first, rules.monthly, lambda moment: (moment.year, moment.month))


def _periods(
    newest_first: Sequence[tuple[datetime, Backup]],
    count: int,
    period: Callable[[datetime], object],
) -> Iterator[Backup]:
    """Yield the newest of each of the last periods that have any."""
    seen: set[object] = set()
    for moment, backup in newest_first:
        if len(seen) == count:
            return
        if period(moment) not in seen:
            seen.add(period(moment))
            yield backup


def _moment(backup: Backup) -> datetime:
    return time_of(backup.stamp) or _ZERO
