"""What a search looks at, for whoever wants to know why it does not end."""


class Looking:
    """Noted before each look, since a file system that hangs lets nothing be noted afterwards."""

    def __init__(self) -> None:
        self._at: object = ""

    def __call__(self, what: object) -> None:
        self._at = what

    def __str__(self) -> str:
        return str(self._at)
