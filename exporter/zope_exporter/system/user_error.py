"""What a person can put right."""


class UserError(Exception):
    """The base of errors whose text is all there is to say: what is wrong, where, what to do.

    A command prints it alone and exits with 2. It is here, by itself, so that a command can be
    ready for such errors without importing all that may raise them.
    """
