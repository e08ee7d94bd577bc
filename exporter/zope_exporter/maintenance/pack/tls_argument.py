"""What a client of a TLS server needs, as one argument of a program: paths, and no secrets."""

import json
from dataclasses import asdict
from pathlib import Path

from zope_exporter.discovery.inventory import TlsFiles


def encoded(tls: TlsFiles | None) -> str:
    return json.dumps(tls and asdict(tls), default=str)


def decoded(text: str) -> TlsFiles | None:
    fields = json.loads(text)
    if fields is None:
        return None
    paths = {name: fields[name] and Path(fields[name]) for name in ("ca", "certificate", "key")}
    return TlsFiles(**{**fields, **paths})
