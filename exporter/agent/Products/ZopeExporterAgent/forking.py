"""Servers that fork in ways which a thread does not survive."""

from __future__ import absolute_import


def is_about_to_fork():
    """Whether this process is uWSGI's before it has forked its workers.

    Of some versions the workers stop for good if another thread has Python's global lock then, so
    that there must be none.
    """
    try:
        import uwsgi  # there is such a module in its processes only

        return not uwsgi.worker_id()
    except (ImportError, AttributeError):
        return False
