"""Colours of a terminal, as handlers such as colorlog write them into a file, too."""

import re

# rsyslog writes the escape as an octal number.
_COLOUR = re.compile(rb"(?:\x1b|#033)\[[0-9;]{0,30}[mK]")


def without_colours(text: bytes) -> bytes:
    # A single byte is sought much faster than two.
    if b"\x1b" in text or (b"#" in text and b"#033[" in text):
        return _COLOUR.sub(b"", text)
    return text
