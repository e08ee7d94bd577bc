"""The target of a request in absolute form, `GET http://host/path`, which proxies send."""

import re
from urllib.parse import unquote

from starlette.types import Scope

_ORIGIN = re.compile(rb"https?://([^/?#@\\]+)", re.IGNORECASE)


def in_origin_form(scope: Scope) -> Scope:
    """Return the scope of a request as if it had come with the path alone and that Host.

    RFC 9112 3.2.2 has every server accept both, and go by the target where Host says otherwise.
    """
    origin = _ORIGIN.match(scope["raw_path"])
    if origin is None:
        return scope
    raw_path = scope["raw_path"][origin.end() :] or b"/"
    others = [(name, value) for name, value in scope["headers"] if name != b"host"]
    return {
        **scope,
        "raw_path": raw_path,
        "path": unquote(raw_path.decode("ascii")),
        "headers": [(b"host", origin[1]), *others],
    }
