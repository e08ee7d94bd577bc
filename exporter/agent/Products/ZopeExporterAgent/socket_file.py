"""The socket's file: born with its mode, however long its path, removed once its process died."""

from __future__ import absolute_import

import errno
import fcntl
import os
import re
import socket
import stat

NAME = "zope-exporter-%d.sock"
_OURS = re.compile(r"zope-exporter-([0-9]+)\.sock\Z")
_LONGEST = 107  # bytes that the kernel takes as the path of a Unix socket


class SocketFile(object):
    """A socket that listens at zope-exporter-<pid>.sock of `directory`, until closed."""

    def __init__(self, directory, mode=0o600, group=None):
        self.path = os.path.join(directory, NAME % os.getpid())
        self._pid = os.getpid()
        # Kept open: a path through it is short, and stays right if the directory is renamed.
        self._directory = os.open(directory, os.O_RDONLY)
        try:
            _close_on_exec(self._directory)
            self.listener = self._listen(mode, group)
        except Exception:
            os.close(self._directory)
            raise

    def _listen(self, mode, group):
        name = os.path.basename(self.path)
        address = self._address(name)
        remove_dead_sockets(os.path.dirname(self.path), self._address)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            _close_on_exec(listener.fileno())
            # Before bind: the file is never there with a wider mode than this.
            os.fchmod(listener.fileno(), 0o600)
            listener.bind(address)
            if group is not None:
                os.chown(address, -1, group)
            os.chmod(address, mode)
            listener.listen(64)
            listener.setblocking(False)
        except Exception:
            listener.close()
            raise
        return listener

    def _address(self, name):
        path = os.path.join(os.path.dirname(self.path), name)
        if len(path.encode("utf-8") if isinstance(path, type("")) else path) <= _LONGEST:
            return path
        return "/proc/self/fd/%d/%s" % (self._directory, name)

    def close(self):
        """Stop listening; the file goes only with the process that made it."""
        if self._directory is None:  # a forked child has closed it already
            return
        self.listener.close()
        if os.getpid() == self._pid:
            try:
                os.unlink(self.path)
            except OSError:
                pass  # someone else was tidier
        os.close(self._directory)
        self._directory = None


def remove_dead_sockets(directory, address_of):
    """Remove what killed processes have left: our user's, no process of that number, no listener.

    A process of that number may live on in another container that shares the directory: only a
    refused connection tells. Our own number is the one exception: it has died in an earlier life.
    """
    for name in os.listdir(directory):
        match = _OURS.match(name)
        if not match:
            continue
        pid = int(match.group(1))
        if pid != os.getpid() and _lives(pid):
            continue
        address = address_of(name)
        try:
            found = os.lstat(address)
            if stat.S_ISSOCK(found.st_mode) and found.st_uid == os.geteuid() and _refuses(address):
                os.unlink(address)
        except OSError:
            pass  # gone meanwhile, or not ours to remove


def _lives(pid):
    try:
        os.kill(pid, 0)
    except OSError as error:
        return error.errno != errno.ESRCH
    except OverflowError:
        return False
    return True


def _refuses(address):
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        probe.setblocking(False)
        probe.connect(address)
    except (IOError, OSError) as error:  # socket.error is the former in Python 2
        return error.errno == errno.ECONNREFUSED
    finally:
        probe.close()
    return False


def _close_on_exec(descriptor):
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFD)
    fcntl.fcntl(descriptor, fcntl.F_SETFD, flags | fcntl.FD_CLOEXEC)
