"""What an action tells while it runs, and how it says that it cannot go on.

The engines that pack, back up, verify and restore know neither jobs nor locks nor HTTP; they are
given a `Report`, so that the same code runs in the exporter, a shell and a test.
"""

from typing import Protocol


class Report(Protocol):
    """Takes the progress of one action. An action calls it from a single thread."""

    def stage(self, name: str, total: int = 0) -> None:
        """Begin the next stage, of `total` bytes or steps; 0 where nobody can know."""

    def advance(self, count: int) -> None:
        """Add to what is done of the stage's total."""

    def say(self, text: str) -> None:
        """Add a line to what is kept and shown of the job; never a secret."""

    def check(self) -> None:
        """Raise InterruptedActionError if the action shall end; called where that does no harm."""


class Silent:
    """A report to nobody."""

    def stage(self, name: str, total: int = 0) -> None: ...
    def advance(self, count: int) -> None: ...
    def say(self, text: str) -> None: ...
    def check(self) -> None: ...


class ActionError(Exception):
    """An action failed: in which stage, why, and what to do about it; `advice` is the last two."""

    def __init__(self, stage: str, reason: str, remedy: str = "") -> None:
        self.stage = stage
        self.reason = reason
        self.remedy = remedy
        self.advice = reason + (f" ({remedy})" if remedy else "")
        super().__init__(f"{stage}: {self.advice}")


class RefusedError(ActionError):
    """A precondition is not met, and nothing was touched; `code` names which: `room`, `busy`, …"""

    def __init__(self, code: str, reason: str, remedy: str = "") -> None:
        self.code = code
        super().__init__("preconditions", reason, remedy)


class InterruptedActionError(ActionError):
    """The action was told to end before it was done, and has left nothing half-done in place."""


class UncertainError(ActionError):
    """Whether the action goes on, was done or failed cannot be known from here."""
