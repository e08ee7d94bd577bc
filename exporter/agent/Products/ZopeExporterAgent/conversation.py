"""One connection to the agent: a request is read, an answer is written, then it is closed."""

from __future__ import absolute_import

import errno
import json
import logging
import socket
import struct

from Products.ZopeExporterAgent.parts import describe

log = logging.getLogger(__name__)

LARGEST_HEAD = 16384  # bytes
LARGEST_BODY = 16384
_SO_PEERCRED = getattr(socket, "SO_PEERCRED", 17)  # Python 2 does not name it
_AGAIN = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR)
_REASONS = {
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
}


class RefusedError(Exception):
    """The request gets the status and the text for an answer."""

    def __init__(self, status, text):
        Exception.__init__(self, text)
        self.status = status
        self.text = text


class Request(object):
    """A request that has been read."""

    def __init__(self, method, path, body, peer):
        self.method = method
        self.path = path
        self.body = body
        self.peer = peer  # user id of the process at the other end


class Conversation(object):
    """`answer` is called with the Request and returns a status and what to say in JSON."""

    def __init__(self, connection, deadline, answer):
        self._connection = connection
        self._answer = answer
        self._received = b""
        self._unsent = b""
        self.deadline = deadline
        self.wants_to_write = False

    def fileno(self):
        return self._connection.fileno()

    def close(self):
        self._connection.close()

    def proceed(self):
        """Do what can be done without waiting; return whether it goes on."""
        try:
            if not self.wants_to_write:
                return self._read()
            return self._write()
        except (IOError, OSError) as error:
            if error.errno in _AGAIN:
                return True
            raise

    def _read(self):
        piece = self._connection.recv(65536)
        if not piece:
            return False
        self._received += piece
        try:
            request = self._parse()
            if request is None:
                return True
            status, said = self._answer(request)
        except RefusedError as refusal:
            status, said = refusal.status, {"error": refusal.text}
        except Exception as error:
            log.exception("Asked for what fails")
            status, said = 500, {"error": describe(error)}
        said["protocol"] = 1
        self._unsent = _response(status, said)
        self.wants_to_write = True
        return self._write()

    def _write(self):
        sent = self._connection.send(self._unsent)
        self._unsent = self._unsent[sent:]
        return bool(self._unsent)

    def _parse(self):
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if len(head) > LARGEST_HEAD:
            raise RefusedError(431, "the head is too long")
        if not separator:
            return None
        lines = head.split(b"\r\n")
        words = lines[0].split(b" ")
        if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
            raise RefusedError(400, "not a request of HTTP/1")
        length = _content_length(lines[1:])
        if len(body) < length:
            return None
        method, path = (word.decode("latin-1") for word in words[:2])
        return Request(method, path, body[:length], self._peer())

    def _peer(self):
        size = struct.calcsize("3i")
        found = self._connection.getsockopt(socket.SOL_SOCKET, _SO_PEERCRED, size)
        return struct.unpack("3i", found)[1]


def _content_length(lines):
    length = 0
    for line in lines:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            if not value.strip().isdigit():
                raise RefusedError(400, "not a content length")
            length = int(value)
    if length > LARGEST_BODY:
        raise RefusedError(413, "the body is too long")
    return length


def _response(status, said):
    body = json.dumps(said, allow_nan=False).encode("ascii")
    head = (
        "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
        "Connection: close\r\n\r\n"
    ) % (status, _REASONS[status], len(body))
    return head.encode("ascii") + body
