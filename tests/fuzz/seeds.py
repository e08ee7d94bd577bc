"""What each target of the fuzzer begins with: one thing that is right, to be made wrong."""

import json
import tempfile
from pathlib import Path

from tests.support.databases.packing import make_database
from tests.support.zeo.fake_server import GREETING, replying

ACCESS = b'127.0.0.1 - admin [22/Nov/2026:10:37:51 +0100] "GET /a HTTP/1.1" 200 12 "-" "curl/8"'
EVENT = b"2026-11-22 10:37:51 ERROR [Zope.SiteErrorLog:17][waitress-0] ValueError: x\nTraceback\n"
STATUS = {"1": {"connections": 1, "lock_time": None, "last-transaction": "03f0000000000000"}}
ALERT = {
    "status": "firing",
    "labels": {"alertname": "A"},
    "annotations": {},
    "startsAt": "2026-11-22T10:37:51.123Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "fingerprint": "0123456789abcdef",
}
WRAPPED = {
    "log": "a\n",
    "stream": "stdout",
    "time": "1",
    "message": "b",
    "level": 20,
    "exc_info": "c",
}
STAMP = "2026-11-22-10-37-51"
AGENT = {
    "protocol": 1,
    "databases": {"main": {"connections": [1, 2]}},
    "packs": {"main": {"id": 1, "running": True, "start": 1.7e9, "end": None, "error": None}},
    "requests": [{"thread": "t", "start": 1.7e9, "method": "GET", "url": "/", "stack": ["a"]}],
}
MANIFEST = {
    "format": 2,
    "stamp": STAMP,
    "site": "a",
    "database": "main",
    "tool": "x",
    "previous": "",
    "made": 1.7e9,
    "pieces": [
        {"name": f"{STAMP}.fs", "start": 0, "end": 9, "md5": "0" * 32, "size": 9}
        | {"sha256": "0" * 64, "content": "0" * 64}
    ],
    **dict.fromkeys(("tid", "last", "transactions", "records", "device", "inode"), 4),
    "marks": [{"position": 0, "length": 9, "sha256": "0" * 64}],
    "blobs": {"sha256": "0" * 64, "files": 1, "size": 3},
}
VERIFICATION = {
    "stamp": STAMP,
    "level": "restore",
    "time": 1.7e9,
    "failures": [],
    "pieces": ["a"],
    "transactions": 1,
    "records": 1,
    "objects": 1,
    "database_faults": None,
    "changed": [1],
}
TEXTS: dict[str, bytes] = {
    "access_line": ACCESS,
    "haproxy_line": b"Nov 22 10:37:51 h haproxy[1]: 10.0.0.1:5 [22/Nov/2026:10:37:51.000] f b/s"
    b' 0/0/0/1/1 200 12 - - ---- 1/1/0/0/0 0/0 "GET / HTTP/1.1"',
    "json_line": json.dumps({"message": ACCESS.decode(), "level": "INFO"}).encode(),
    "prefixed_line": b"2026-11-22T10:37:51.0Z stdout F " + ACCESS,
    "wrapped_log": b"2026-11-22T10:37:51.0Z stdout P "
    + ACCESS[:40]
    + b"\n2026-11-22T10:37:51.0Z stdout F "
    + ACCESS[40:]
    + b"\n\0"
    + json.dumps(WRAPPED).encode()
    + b"\nzope | "
    + ACCESS
    + b"\n",
    "event_log": EVENT,
    "syslog": b"<134>1 2026-11-22T10:37:51Z host zope 1 - - " + ACCESS,
    "command_line": b"/i/bin/python\0/i/bin/runwsgi\0-d\0/i/etc/zope.ini\0debug-mode=on",
    "zope_conf": b"%define I /i\ninstancehome $I\n<zodb_db main>\n <filestorage>\n"
    b"  path $I/Data.fs\n </filestorage>\n mount-point /\n</zodb_db>\n",
    "zeo_conf": b"<zeo>\n address 127.0.0.1:8100\n</zeo>\n<filestorage 1>\n path /Data.fs\n"
    b"</filestorage>\n",
    "wsgi_ini": b"[app:zope]\nuse = egg:Zope#main\nzope_conf = %(here)s/zope.conf\n"
    b"[server:main]\nuse = egg:waitress#main\nlisten = 127.0.0.1:8080\nthreads = 4\n",
    "exporter_yaml": b"sites:\n  - &a {name: a, zope_conf: [/i/etc/zope.conf]}\nlisten: *a\n",
    "web_yaml": b"tls_server_config:\n  cert_file: /c\n  key_file: /k\n  min_version: TLS12\n"
    b"basic_auth_users:\n  a: $2b$04$abcdefghijklmnopqrstuuLWkyBvsEGYdkKpOyeZtUhTvV0FQ0n0u\n"
    b"rate_limit:\n  interval: 1s\n  burst: 2\n",
    "authorization": b"Basic YWxhZGRpbjpvcGVuc2VzYW1l",
    "pid_file": b"1\n",
    "lock_file": b" 1\n",
    "event_format": b"%(asctime)s %(levelname)-8s [%(name)s] %(message)s\n%Y-%m-%d\n" + EVENT,
    "access_format": b'%h %l %u %t \\"%r\\" %>s %b\n' + ACCESS,
    "agent_answer": b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"
    + json.dumps(AGENT).encode(),
    "zeo_greeting": b"\0\0\0\x02Z5"
    + len(json.dumps(STATUS)).to_bytes(4, "big")
    + json.dumps(STATUS).encode(),
    "zeo_order": GREETING + replying(1, bytes(8)) + replying(2, ("builtins.E", ("x", 1)), flag=2),
    "pickles": b"\x80\x03cmod\nA\nq\0.\x80\x03}q\1X\1\0\0\0xq\2C\x08\0\0\0\0\0\0\0\1q\3h\0\x86"
    b"q\4Qs.",
    "states": b"\x80\x04\x8c\1m\x8c\1A\x93\x94.\x80\x03}q\1(X\1\0\0\0xq\2"
    b"C\x08\0\0\0\0\0\0\0\1q\3h\0\x86Qh\2(h\2h\2tu.",
    "dat": f"{STAMP}.fs 0 100 {'0' * 32}\n{STAMP}.deltafs 100 120 {'1' * 32}\n".encode(),
    "manifest": json.dumps(MANIFEST).encode(),
    "verification": json.dumps(VERIFICATION).encode(),
    "current": json.dumps({"stamp": STAMP, "time": 1.7e9, "tid": 5}).encode(),
    "tokens": b"ops [pack,silence]: 0123456789abcdef0123456789abcdef\n",
    "zeo_status": json.dumps(STATUS).encode(),
    "zeo_monitor": b"ZEO monitor server version 5.4\nSun Nov 22 10:37:51 2026\n\nStorage: 1\n"
    b"Blocking: 0\nClients: 1\nCommits: 4\n",
    "zmi_panel": b"<table><tr><th>Zope Version</th><td>5.10</td></tr></table>",
    "zmi_caches": b"<table><tr><td>Total</td><td>1</td><td>2</td></tr></table>",
    "notification": json.dumps({"version": "4", "alerts": [ALERT], "truncatedAlerts": 0}).encode(),
    "accept_header": b"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
    b"encoding=delimited;q=0.9,application/openmetrics-text;version=1.0.0;q=0.75,text/plain;q=0.5",
    "index": b"\x80\x03K\x04.",
}


def seeds() -> dict[str, bytes]:
    """One seed of each target."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "Data.fs")
        make_database(path, revisions=2, size=20)
        index = path.with_name("Data.fs.index")
        written = index.read_bytes() if index.exists() else TEXTS["index"]
        data = path.read_bytes()
    of_data_fs = dict.fromkeys(("data_fs", "data_fs_tail", "growth", "recover"), data)
    return {**TEXTS, "index": written, **of_data_fs}
