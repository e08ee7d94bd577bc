"""Log messages in the forms the official exporters write."""

import json
import logging
import re
import sys
from datetime import datetime, timezone
from typing import TextIO

LEVELS = ("debug", "info", "warn", "error")
FORMATS = ("logfmt", "json")

_LEVEL_NAMES = {logging.WARNING: "WARN", logging.CRITICAL: "ERROR"}
_BARE = re.compile(r"[^\s\"=\\]+")


def set_up_logging(level: str, form: str, stream: TextIO = sys.stderr) -> None:
    """Send log messages of at least `level` to `stream`, as `form` says."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Formatter(form))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING if level == "warn" else level.upper())
    for library in ("httpx", "httpcore"):  # a line for each probe, at info
        logging.getLogger(library).setLevel(logging.WARNING)


class _Formatter(logging.Formatter):
    def __init__(self, form: str) -> None:
        super().__init__()
        self._encode = json.dumps if form == "json" else _logfmt

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, timezone.utc)
        fields = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": _LEVEL_NAMES.get(record.levelno, record.levelname),
            "source": f"{record.module}.py:{record.lineno}",
            "msg": record.getMessage(),
        }
        if record.exc_info:
            fields["err"] = self.formatException(record.exc_info)
        return self._encode(fields)


def _logfmt(fields: dict[str, str]) -> str:
    return " ".join(f"{key}={_value(text)}" for key, text in fields.items())


def _value(text: str) -> str:
    return text if _BARE.fullmatch(text) else json.dumps(text, ensure_ascii=False)
