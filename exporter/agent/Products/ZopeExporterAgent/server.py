"""One daemon thread that converses with every client at once and never waits for any of them."""

from __future__ import absolute_import

import logging
import select
import threading
import time

from Products.ZopeExporterAgent.conversation import Conversation

log = logging.getLogger(__name__)

PATIENCE = 5.0  # seconds a client has for sending its request and reading the answer
MOST_CLIENTS = 32
# Not waitress-N: the workers are known by that name.
THREAD_NAME = "zope-exporter-agent"
_monotonic = getattr(time, "monotonic", time.time)


class Server(object):
    """Serves `answer` at a listening socket; calls `tick` at times, which says when it is next due.

    `tick` returns the seconds until then; `answer` is as for Conversation.
    """

    def __init__(self, listener, answer, tick, clock=_monotonic):
        self._listener = listener
        self._answer = answer
        self._tick = tick
        self._clock = clock
        self._conversations = {}  # by file descriptor
        self._stopping = threading.Event()
        self._poll = select.poll()
        self._poll.register(listener.fileno(), select.POLLIN)
        self._has_complained = False

    def start(self):
        thread = threading.Thread(target=self._run, name=THREAD_NAME)
        thread.daemon = True
        thread.start()
        return thread

    def stop(self):
        """Let the thread end at its next turn."""
        self._stopping.set()

    def let_go(self):
        """In a forked child, where the thread is not: close what is the parent's."""
        for conversation in self._conversations.values():
            conversation.close()
        self._conversations = {}

    def _run(self):
        due = self._clock()
        while not self._stopping.is_set():
            try:
                if self._clock() >= due:
                    due = self._clock() + self._tick()
                self._turn(max(0.0, due - self._clock()))
            except Exception:  # noqa: PERF203 -- whatever it was, it goes on
                if self._stopping.is_set():
                    break  # the socket was closed while this looked at it
                self._complain()
                due = self._clock() + 1.0
                # It shall not cost a processor when it lasts.
                self._stopping.wait(0.2)
        for descriptor in list(self._conversations):
            self._end(descriptor)

    def _complain(self):
        if not self._has_complained:
            self._has_complained = True
            log.exception("The agent has a problem; further ones are not logged.")

    def _turn(self, seconds):
        listening = self._listener.fileno()
        for descriptor, _ in self._wait(min(seconds, 1.0) if self._conversations else seconds):
            if descriptor == listening:
                self._accept()
            else:
                self._proceed(descriptor)
        now = self._clock()
        for descriptor, conversation in list(self._conversations.items()):
            if conversation.deadline < now:
                self._end(descriptor)

    def _wait(self, seconds):
        try:
            return self._poll.poll(seconds * 1000.0)
        except select.error as error:
            # A signal's handler ran in Python 2; its select.error has no errno.
            if error.args[0] != 4:
                raise
            return []

    def _accept(self):
        connection, _ = self._listener.accept()
        connection.setblocking(False)
        if len(self._conversations) >= MOST_CLIENTS:
            # Whoever has kept us longest has had the best chance.
            self._end(min(self._conversations, key=lambda n: self._conversations[n].deadline))
        conversation = Conversation(connection, self._clock() + PATIENCE, self._answer)
        self._conversations[conversation.fileno()] = conversation
        self._poll.register(conversation.fileno(), select.POLLIN)
        # Mostly the request is there already.
        self._proceed(conversation.fileno())

    def _proceed(self, descriptor):
        conversation = self._conversations.get(descriptor)
        if conversation is None:
            return
        try:
            goes_on = conversation.proceed()
        except (IOError, OSError):
            goes_on = False  # the client has gone
        except Exception:
            self._end(descriptor)
            raise
        if not goes_on:
            self._end(descriptor)
        elif conversation.wants_to_write:
            self._poll.modify(descriptor, select.POLLOUT)

    def _end(self, descriptor):
        conversation = self._conversations.pop(descriptor)
        self._poll.unregister(descriptor)
        conversation.close()
