"""Pieces of event logs of each generation."""

ZOPE2 = b"""\
------
2026-11-22T10:37:51 INFO ZServer HTTP server started
------
2026-11-22T10:37:52 PANIC(300) ZODB it is over
------
2026-11-22T10:37:53 PROBLEM ZODB it begins again
------
2026-11-22T10:37:54 ERROR Zope.SiteErrorLog 1.2 http://localhost/x
Traceback (innermost last):
  Module x, line 1, in y
------
POSKeyError: 0x01
"""
ZOPE6 = b"""\
2026-11-22 10:37:51 INFO [Zope:42][MainThread] Ready to handle requests
2026-11-22 10:37:52 WARNING [waitress.queue:113][MainThread] Task queue depth is 1
2026-11-22 10:37:52 WARNING [waitress.queue:113][MainThread] Task queue depth is 1
2026-11-22 10:37:53 ERROR [ZODB.Connection:780][waitress-1] Couldn't load state for X 0x01
Traceback (most recent call last):
  log said: 2026-11-22 10:37:53 ERROR [ZODB.Connection:780][waitress-1] Couldn't
ZODB.POSException.POSKeyError: 0x01
"""
PLONE = b"""\
2026-11-22 11:30:13,471 INFO    [chameleon.config:40][MainThread] directory cache: /tmp
2026-11-22 11:30:14,000 CRITICA [ZODB.DB:157][waitress-0] DB.open() has 15 open connections \
with a pool_size of 7
2026-11-22 11:30:14,001 BLATHER [a:1][Thread-3 (serve)] x
2026-11-22 11:30:14,002 TRACE   [a:1][MainThread] x
2026-11-22 11:30:14,003 DEBUG   [a:1][MainThread] x
2026-11-22 11:30:14,004 Level 3 [a:1][MainThread] x
2026-11-22 11:30:14,004 NOTICE  [a:1][MainThread] x
"""
RAISED = b"""\
2026-11-22 10:37:54 ERROR [waitress:437][waitress-%d] Exception while serving /boom
Traceback (most recent call last):
ZODB.POSException.ConflictError: database conflict error (oid 0x01)
"""
