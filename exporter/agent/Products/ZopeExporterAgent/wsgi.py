"""Around a WSGI application: what its clients are really answered, and when that ends."""

from __future__ import absolute_import


class CountedApplication(object):
    """The application, its requests told to `requests`."""

    def __init__(self, application, requests):
        self.application = application
        self._requests = requests

    def __call__(self, environ, start_response):
        requests = self._requests
        request = requests.begin(environ)
        if request is None:  # inside another one of us, as when the filter is used as well
            return self.application(environ, start_response)

        def start(status, headers, exc_info=None):
            if exc_info is None:
                write = start_response(status, headers)
            else:  # raises it if the client has another status already
                write = start_response(status, headers, exc_info)
            request.status = status[:3]
            return write

        try:
            answer = self.application(environ, start)
        except BaseException as error:
            _broken(request, error)
            requests.published(request)
            requests.end(request)
            raise
        requests.published(request)
        if type(answer) in (tuple, list):
            return WholeAnswer(answer, request, requests)
        if _is_file(answer, environ.get("wsgi.file_wrapper")):
            # The server knows its own kind of file by the class, and sends it by itself: no worker
            # has to do with that, however long a slow client takes.
            requests.end(request)
            return answer
        kind = SizedAnswer if hasattr(answer, "__len__") else Answer
        return kind(answer, request, requests)

    def __getattr__(self, name):
        # Whoever looks for something at the application finds it.
        return getattr(self.application, name)


class Answer(object):
    """The iterable that an application returned; servers close it when they are done with it."""

    __slots__ = ("_answer", "_request", "_requests")

    def __init__(self, answer, request, requests):
        self._answer = answer
        self._request = request
        self._requests = requests

    def __iter__(self):
        has_begun = False
        try:
            for piece in self._answer:
                has_begun = has_begun or bool(piece)
                yield piece
        except Exception as error:
            if has_begun:  # the client has its status already
                self._request.exception = type(error).__name__
            else:
                _broken(self._request, error)
            raise

    def close(self):
        try:
            close = getattr(self._answer, "close", None)
            if close is not None:
                close()
        finally:
            self._requests.end(self._request)

    def __del__(self):
        # Dropped by something that does not close what it was given.
        self._requests.end(self._request)


class SizedAnswer(Answer):
    """Servers take the length of an only piece for that of the answer."""

    __slots__ = ()

    def __len__(self):
        return len(self._answer)


class WholeAnswer(SizedAnswer):
    """A plain tuple or list: nothing can fail in it any more, nor does it want to be closed."""

    __slots__ = ()

    def __iter__(self):
        return iter(self._answer)

    def close(self):
        self._requests.end(self._request)


def _is_file(answer, wrapper):
    return isinstance(wrapper, type) and isinstance(answer, wrapper)


def _broken(request, error):
    request.status = "500"  # what every server makes of it
    request.exception = type(error).__name__
