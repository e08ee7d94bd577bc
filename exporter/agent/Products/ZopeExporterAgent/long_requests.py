"""What the requests that take long are doing, for people; never for labels."""

from __future__ import absolute_import

import sys
import threading

from Products.ZopeExporterAgent.parts import text

DEEPEST = 300  # frames, the innermost ones


def long_requests(requests, threshold, now):
    """Those in progress for more than `threshold` seconds, the oldest first."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    frames = sys._current_frames()
    return [
        {
            # Python does not know the names of ZServer's threads.
            "thread": text(names.get(request.thread_id) or str(request.thread_id)),
            "thread_id": request.thread_id,
            "start": request.start,
            "method": text(request.environ.get("REQUEST_METHOD", "")),
            "url": text(_url(request.environ)),
            "stack": _stack(frames.get(request.thread_id)),
        }
        for request in requests.in_progress()
        if now - request.start > threshold
    ]


def _url(environ):
    """The path with the names of the query's fields; what they hold is nobody's business."""
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    query = environ.get("QUERY_STRING", "")
    if not query:
        return path
    fields = [field.partition("=") for field in query.split("&")]
    # Without an equals sign the field may be all value.
    return path + "?" + "&".join(name if equals else "..." for name, equals, _ in fields)


def _stack(frame):
    lines = []
    while frame is not None and len(lines) < DEEPEST:
        code = frame.f_code
        lines.append(text("%s:%s %s" % (code.co_filename, frame.f_lineno, code.co_name)))
        frame = frame.f_back
    return lines[::-1]
