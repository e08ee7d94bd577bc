"""Formats of nginx and gunicorn, put in the terms of Apache's LogFormat."""

import re

from .apache_format import FRACTIONAL

_NGINX = re.compile(r"\[\$time_local\]|\$\{?(?P<name>[a-z]\w*)\}?|%")
_OF_NGINX = {
    "remote_addr": "%h",
    "remote_user": "%u",
    "request": "%r",
    "request_method": "%m",
    "status": "%>s",
    "body_bytes_sent": "%b",
    "bytes_sent": "%O",
    "request_time": FRACTIONAL,
}
_GUNICORN = re.compile(r"%\((?P<name>[a-zA-Z]|\{[^{}]+\}[ioe])\)s|%%|%")
_OF_GUNICORN = {
    **{name: f"%{name}" for name in "hlutrmsUqHbBDT"},
    "M": "%{ms}T",
    "L": FRACTIONAL,
    "f": "%{Referer}i",
    "a": "%{User-agent}i",
}


def as_apache(text: str) -> str | None:
    """Return what is equal to a format of nginx or gunicorn; None if it is of neither."""
    if re.search(r"\$(request|request_method|status)\b", text):
        return _NGINX.sub(_nginx, text)
    if re.search(r"%\([rms]\)s", text):
        return _GUNICORN.sub(_gunicorn, text)
    return None


def _nginx(field: re.Match[str]) -> str:
    if field[0] == "%":
        return "%%"
    name = field["name"]
    return "%t" if name is None else _OF_NGINX.get(name, f"%{{{name}}}e")


def _gunicorn(field: re.Match[str]) -> str:
    name = field["name"]
    if name is None:
        return "%%"
    # What there is of headers and the environment may hold blanks, as does what we do not know.
    return _OF_GUNICORN.get(name) or (f"%{name}" if name[0] == "{" else f"%{{{name}}}e")
