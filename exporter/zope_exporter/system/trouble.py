"""Trouble that lasts, of which the log is to tell once, however often it is met."""

from collections.abc import Iterator

Kind = tuple[str, ...]
"""What an error is, whatever its words are this time."""

_CAUSES = 5  # of an error are told apart; a chain of them may have no end


def kind_of(error: BaseException) -> Kind:
    """Tell errors apart by their types, those of their causes, and the numbers of the system."""
    return tuple(_kinds(error))


def _kinds(error: BaseException) -> Iterator[str]:
    cause: BaseException | None = error
    for _ in range(_CAUSES):
        if cause is None:
            break
        number = f" {cause.errno}" if isinstance(cause, OSError) else ""
        yield f"{type(cause).__module__}.{type(cause).__qualname__}{number}"
        cause = cause.__cause__ or cause.__context__


class Trouble:
    """Whether some work goes well, told when that changes."""

    def __init__(self) -> None:
        self._kind: Kind | None = None

    def is_new(self, error: BaseException) -> bool:
        """Note that the work has failed; return whether it was well before, or bad otherwise."""
        known, self._kind = self._kind, kind_of(error)
        return self._kind != known

    def is_over(self) -> bool:
        """Note that the work has gone well; return whether it had failed before."""
        known, self._kind = self._kind, None
        return known is not None
