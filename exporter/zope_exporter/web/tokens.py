"""The token file: who may use the API, and for what."""

import hashlib
import hmac
import logging
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from zope_exporter.config.actions import ACTIONS
from zope_exporter.config.load import ConfigError, Problem, content_of

from .reloading_config import ReloadingConfig

log = logging.getLogger(__name__)

PERMISSIONS = (*ACTIONS, "alertmanager", "requests", "errors")
LONGEST_FILE = 65536
SHORTEST_TOKEN = 16  # characters; shorter ones are used, but `weaknesses` tells
_TOKEN = re.compile(r"[!-9;-~]+")  # visible ASCII but for the colon, which separates
_FORM = "a line is TOKEN, NAME: TOKEN or NAME: TOKEN: ACTION, ACTION"


@dataclass(frozen=True)
class TokenOwner:
    """Who holds a token, by the name the file gives, and what that token allows."""

    name: str
    permissions: frozenset[str]

    def may(self, permission: str) -> bool:
        return permission in self.permissions


@dataclass(frozen=True)
class _Entry:
    line: int
    owner: TokenOwner
    token: str = field(repr=False)


class TokenFile(ReloadingConfig[list[tuple[bytes, TokenOwner]]]):
    """The tokens of a file, hashed; ConfigError never shows one."""

    refused = "everything that needs a token"

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises ConfigError with all that is wrong with it.
        """
        self._secret = secrets.token_bytes(32)
        super().__init__(path)

    def owner(self, authorization: str | None) -> TokenOwner | None:
        """Return who an `Authorization` header proves to be, None if that is nobody.

        Raises ConfigError while the file is broken or gone.
        """
        known = self.current()
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        digest, found = self._digest(token.strip()), None
        for each, owner in known:  # all of them: the time must not tell which is near
            if hmac.compare_digest(digest, each):
                found = owner
        return found

    def _load(self, _: object) -> list[tuple[bytes, TokenOwner]]:
        entries = _read(self.path)
        for weakness in _weaknesses(self.path, entries):
            log.warning("%s", weakness)
        return [(self._digest(entry.token), entry.owner) for entry in entries]

    def _digest(self, token: str) -> bytes:
        # All of one length, so that a comparison does not tell how long a token is.
        return hashlib.blake2b(token.encode("utf-8", "replace"), key=self._secret).digest()


def weaknesses(path: Path) -> list[str]:
    """Return what makes the tokens of a file less of a secret than they should be.

    These are no errors, since a Kubernetes secret is mounted readable for all. Raises ConfigError
    if the file cannot be used at all.
    """
    return _weaknesses(path, _read(path))


def _weaknesses(path: Path, entries: list[_Entry]) -> list[str]:
    found = []
    if path.stat().st_mode & 0o004:
        found.append(f"{path}: every user of this host can read the tokens (chmod 640 {path})")
    found += [
        f"{path}:{entry.line}: the token is short (make one with: openssl rand -hex 32)"
        for entry in entries
        if len(entry.token) < SHORTEST_TOKEN
    ]
    return found


def _read(path: Path) -> list[_Entry]:
    entries: list[_Entry] = []
    problems: list[Problem] = []
    seen: set[str] = set()
    for number, line in enumerate(_text(path).split("\n"), 1):
        try:
            entry = _entry(number, line)
        except ValueError as error:
            problems.append(Problem(number, "", str(error), _FORM))
            continue
        if entry is not None and entry.token in seen:
            problems.append(Problem(number, "", "holds a token given before", "keep one"))
        if entry is not None:
            seen.add(entry.token)
            entries.append(entry)
    if problems:
        raise ConfigError(path, problems)
    return entries


def _entry(number: int, line: str) -> _Entry | None:
    line = line.strip()
    if not line or line.startswith("#"):
        return None
    first, *rest = (part.strip() for part in line.split(":"))
    if not rest:
        name, token, actions = f"line {number}", first, None
    else:
        name, token, actions = first, rest[0], ":".join(rest[1:]) if rest[1:] else None
    if not name or not name.isprintable():
        raise ValueError("has no name")
    if not _TOKEN.fullmatch(token):
        raise ValueError("holds no token of visible ASCII characters")
    return _Entry(number, TokenOwner(name, frozenset(_permissions(actions))), token)


def _permissions(actions: str | None) -> Iterator[str]:
    if actions is None:
        yield from PERMISSIONS
        return
    for action in actions.replace(",", " ").split():
        if action not in PERMISSIONS:  # not shown: it may be a part of a token
            raise ValueError(f"allows what does not exist; there is {', '.join(PERMISSIONS)}")
        yield action


def _text(path: Path) -> str:
    content = content_of(path, LONGEST_FILE)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(path, [Problem(None, "", "is not text", "save it as UTF-8")]) from None
