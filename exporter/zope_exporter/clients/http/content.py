"""Comparing an answer's body with what a target should give."""

import time

import httpx
import re2

from zope_exporter.discovery.inventory import Target

MAX_BODY_BYTES = 1 << 20


class BodyTooLargeError(Exception):
    """The body went on past the limit."""


def wanted(target: Target) -> bool:
    """Say whether the target expects anything of the body."""
    return target.expect is not None or target.expect_regex is not None


def matches(target: Target, body: bytes) -> bool:
    """Say whether a body is as the target expects; bytes that are not UTF-8 match no pattern.

    Raises re2.error for an invalid pattern.
    """
    text = body.decode("utf-8", "replace")
    if target.expect is not None and text.strip() != target.expect.strip():
        return False
    return target.expect_regex is None or re2.search(target.expect_regex, text) is not None


async def read_body(response: httpx.Response, keep: bool, deadline: float) -> bytes:
    """Read a body, not decompressed, to its end or the limit; return it if it is to be kept.

    Raises BodyTooLargeError past the limit, TimeoutError at the deadline (of the monotonic clock).
    """
    body = bytearray()
    length = 0
    async for chunk in response.aiter_raw():
        length += len(chunk)
        if length > MAX_BODY_BYTES:
            raise BodyTooLargeError
        if keep:
            body += chunk
        # Thousands of small chunks come in one packet, and nothing a cancellation could interrupt
        # is awaited between them.
        if time.monotonic() > deadline:
            raise TimeoutError
    return bytes(body)
