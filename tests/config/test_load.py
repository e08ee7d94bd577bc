import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zope_exporter.config.load import MAX_BYTES, ConfigError, load_config

Write = Callable[[str], Path]

FULL = """
state_dir: state
scan_memory: 1.5GB
discover: false
sites:
  - name: intranet
    instances:
      - zope_conf: /srv/zope/etc/zope.conf
        wsgi_ini: etc/zope.ini
        name: client1
        agent: unix:var/agent.sock
      - data_fs: /srv/zope/var/Data.fs
    zeo:
      - {address: "127.0.0.1:8100", conf: /srv/zeo/etc/zeo.conf}
    logs:
      access: [log/Z2.log, {path: /srv/apache/access.log, format: "%h %l %u %t \\"%r\\" %>s %b"}]
      event: [{path: event.log}]
      syslog: {listen: "udp:127.0.0.1:5140", event: {tag: zope}}
      patterns: {payment: "Payment .* refused"}
    ping:
      - {name: home, url: "http://127.0.0.1:8080/ping", expect: "1", timeout: 1s}
      - {name: door, url: "https://user:geheim@localhost/", status: [401], timeout: 500ms}
    backup: {repository: backups, databases: [main], max_age: 2d, keep_full: 2, gzip: true}
actions:
  token_file: token
  pack: {days: 7, require_backup: false, cooldown: 12h}
  verify: {cooldown: 1h}
  on_alert: {ZopePackOverdue: pack, ZopeBackupOverdue: backup}
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "zope-exporter.yml"
        path.write_text(text)
        return path

    return write


def problems(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert all(line.startswith(str(path)) for line in str(caught.value).splitlines())
    return [line.removeprefix(str(path)) for line in str(caught.value).splitlines()]


def test_without_a_file_everything_has_a_default() -> None:
    config = load_config(None)
    assert config.discover
    assert config.sites == ()
    assert config.state_dir is None
    assert config.scan_memory == 256_000_000


@pytest.mark.parametrize("text", ["", "# only a comment\n", "sites: []\n"])
def test_a_file_that_says_nothing_is_the_defaults(write: Write, text: str) -> None:
    assert load_config(write(text)) == load_config(None)


def test_every_key_together(write: Write, tmp_path: Path) -> None:
    config = load_config(write(FULL))
    (site,) = config.sites
    assert config.state_dir == tmp_path / "state"
    assert config.scan_memory == 1_500_000_000
    assert site.instances[0].wsgi_ini == tmp_path / "etc/zope.ini"
    assert site.instances[0].zope_conf == Path("/srv/zope/etc/zope.conf")
    assert site.instances[0].agent == tmp_path / "var/agent.sock"
    assert site.zeo[0].address == "127.0.0.1:8100"
    assert [(ping.name, ping.timeout) for ping in site.ping] == [("home", 1.0), ("door", 0.5)]
    assert site.ping[1].status == (401,)
    assert [log.path for log in site.logs.access] == [
        tmp_path / "log/Z2.log",
        Path("/srv/apache/access.log"),
    ]
    assert site.logs.syslog
    assert site.logs.syslog.access.facility == "local0"
    assert site.logs.syslog.event.facility is None
    assert site.backup
    assert (site.backup.repository, site.backup.max_age) == (tmp_path / "backups", 2 * 86400)
    assert config.actions
    assert (config.actions.token_file, config.actions.pack.days) == (tmp_path / "token", 7)
    assert config.actions.on_alert["ZopePackOverdue"] == "pack"


BAD = [
    ("site: []", ":1: site: unknown key (did you mean sites?)"),
    (
        "nonsense: 1",
        ":1: nonsense: unknown key (known here: actions, discover, links, scan_memory, sites,"
        " state_dir, thresholds)",
    ),
    ("actions: {}", ":1: actions.token_file: is required"),
    (
        "actions: {token_file: t, on_alert: {ZopePackOverdue: restore}}",
        ":1: actions.on_alert.ZopePackOverdue: Input should be 'pack', 'backup' or 'verify'",
    ),
    (
        "actions: {token_file: t, pack: {cooldwn: 6h}}",
        ":1: actions.pack.cooldwn: unknown key (did you mean cooldown?)",
    ),
    (
        "sites:\n- {name: a, backup: {max_age: 2d}}",
        ":2: sites[0].backup: takes either repository or external",
    ),
    (
        "sites:\n- {name: a, backup: {repository: r, keep_full: 0}}",
        ":2: sites[0].backup.keep_full: Input should be greater than or equal to 1",
    ),
    ("discover: 17", ":1: discover: must be true or false"),
    ("scan_memory: 5M", ":1: scan_memory: is not a size (a number and a unit: 500kB, 64MB, 1.5GB)"),
    ("state_dir: [a]", ":1: state_dir: must be a path (put it in quotes)"),
    ("sites: intranet", ":1: sites: must be a list (start each entry with a dash)"),
    ("sites:\n- intranet", ":2: sites[0]: must hold keys with values"),
    ("- sites", ":1: must hold keys with values"),
    ("sites:\n- ping: []", ":2: sites[0].name: is required"),
    ("sites:\n- name: 2026-11-22", ":2: sites[0].name: must be text (put it in quotes)"),
    (
        "sites:\n- name: ''",
        ":2: sites[0].name: must be 1 to 100 printable characters (it becomes a label value)",
    ),
    (
        "sites:\n- name: a\n- name: a",
        ":1: sites: has two sites of the name a (names become label values)",
    ),
    (
        "sites:\n- name: a\n  instances:\n  - name: b",
        ":4: sites[0].instances[0]: names nothing to watch (give zope_conf, wsgi_ini, data_fs, ",
    ),
    (
        "sites:\n- name: a\n  instances:\n  - zope_config: b",
        ":4: sites[0].instances[0].zope_config: unknown key (did you mean zope_conf?)",
    ),
    (
        "sites:\n- name: a\n  instances:\n  - {zope_conf: b, agent: /srv/agent.sock}",
        ":4: sites[0].instances[0].agent: is not a socket (such as unix:/srv/zope/var/agent.sock)",
    ),
    (
        "sites:\n- name: a\n  zeo: [{conf: b, address: c}]",
        ":3: sites[0].zeo[0].address: is not an address (host:port, or the path of a socket)",
    ),
    (
        "sites:\n- name: a\n  zeo: [{}]",
        ":3: sites[0].zeo[0]: names no server (give conf or address)",
    ),
    (
        "sites:\n- name: a\n  zeo: [{conf: b, key_file: c}]",
        ":3: sites[0].zeo[0]: has a key_file without cert_file (give both)",
    ),
    (
        "sites:\n- name: a\n  zeo: [{conf: b, server_hostname: c}]",
        ":3: sites[0].zeo[0]: has server_hostname without TLS (give ca_file and cert_file)",
    ),
    (
        "sites:\n- {name: a, ping: [{name: b, url: 'http://localhost/', timeout: 5}]}",
        ":2: sites[0].ping[0].timeout: is not a duration"
        " (a number and a unit: 500ms, 5s, 10m, 26h, 7d)",
    ),
    (
        "sites:\n- {name: a, ping: [{name: b, url: 'http://localhost/', timeout: 2m}]}",
        ":2: sites[0].ping[0].timeout: must be more than 0 and at most 60s"
        " (Prometheus itself waits 10s by default)",
    ),
    (
        "sites:\n- {name: a, ping: [{name: b, url: 'http://localhost/', expect: 1}]}",
        ":2: sites[0].ping[0].expect: must be text (put it in quotes)",
    ),
    (
        "sites:\n- {name: a, ping: [{name: b, url: 'http://localhost/', expect_regex: '('}]}",
        ":2: sites[0].ping[0].expect_regex: is not a regular expression: missing ): ("
        " (RE2 syntax: no look-around, no back references)",
    ),
    (
        "sites:\n- {name: a, ping: [{name: b, url: 'http://x/', expect: a, expect_regex: b}]}",
        ":2: sites[0].ping[0]: has both expect and expect_regex (keep one)",
    ),
    (
        "sites:\n- {name: a, ping: [{name: b, url: 'http://x/', status: [99]}]}",
        ":2: sites[0].ping[0].status[0]: Input should be greater than or equal to 100",
    ),
    ("a: 1\na: 2", ":2: a: is given twice"),
    (
        "sites:\n- {name: a, logs: {access: [{path: a, format: '%Q'}]}}",
        ":2: sites[0].logs.access[0].format: ",
    ),
    (
        "sites:\n- {name: a, logs: {event: [{path: a, format: '%(levelname)s%(message)s'}]}}",
        ":2: sites[0].logs.event[0].format: ",
    ),
    (
        "sites:\n- {name: a, logs: {syslog: {listen: 'tcp:1'}}}",
        ":2: sites[0].logs.syslog.listen: is not an address"
        " (udp:127.0.0.1:5140, udp:[::1]:5140 or unix:/path)",
    ),
    (
        "sites:\n- {name: a, logs: {syslog: {listen: 'unix:/a', access: {facility: b}}}}",
        ":2: sites[0].logs.syslog.access.facility: is not a facility of syslog (one of auth,",
    ),
    (
        "sites:\n- {name: a, logs: {patterns: {bad: '('}}}",
        ":2: sites[0].logs.patterns.bad: is not a regular expression: missing ): (",
    ),
    (
        "sites:\n- {name: a, logs: {patterns: {POSKeyError: a}}}",
        ":2: sites[0].logs: pattern POSKeyError is built in; give yours another name",
    ),
    ("a: [", ":1: is not valid YAML: expected the node content"),
    ("a:\n\tb: 1", ":2: is not valid YAML: found character"),
    ("a: !!python/object:os.system x", ":1: is not valid YAML: could not determine a constructor"),
    ("a: *geheim", ":1: is not valid YAML: found undefined alias"),
    ("a: 2026-02-31", ": is nested too deeply or holds an impossible date or number"),
    ("a: !!bool x", ": is nested too deeply or holds an impossible date or number"),
    ("a: !!timestamp x", ": is nested too deeply or holds an impossible date or number"),
    ("[" * 5000, ": is nested too deeply or holds an impossible date or number"),
    ("a: &a [*a]", ": grows too large when its aliases are resolved (write the values out)"),
    ("x" * (MAX_BYTES + 1), f": is larger than {MAX_BYTES} bytes"),
]


@pytest.mark.parametrize(("text", "message"), BAD, ids=[text[:40] for text, _ in BAD])
def test_promise_29_what_is_wrong_is_said_with_line_key_and_remedy(
    write: Write, text: str, message: str
) -> None:
    (found,) = problems(write(text))
    assert found.startswith(message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"url": "http://127.0.0.1:99999"}, "url: has a port outside of 1 to 65535"),
        ({"url": "127.0.0.1"}, "url: must begin with http:// or https://"),
        ({"url": "http://u:secret@127.0.0.1"}, "url: may have neither login nor query"),
        ({"url": "http://127.0.0.1/?x=secret"}, "url: may have neither login nor query"),
        ({"username": "a:secret"}, "username: cannot be a user name"),
        ({"username": ""}, "username: cannot be a user name"),
        ({"password_file": None}, "password_file: must be a path"),
        ({"password": "secret"}, "password: unknown key (did you mean password_file?)"),
    ],
    ids=str,
)
def test_a_login_for_the_zmi(write: Write, changes: dict[str, str | None], message: str) -> None:
    login = {"url": "http://127.0.0.1:8080", "username": "a", "password_file": "p", **changes}
    (found,) = problems(
        write(f"sites:\n- name: a\n  instances:\n  - zope_conf: b\n    zmi: {json.dumps(login)}\n")
    )
    assert found.startswith(f":5: sites[0].instances[0].zmi.{message}")
    assert "secret" not in found


def test_all_problems_are_told_at_once(write: Write) -> None:
    found = problems(write("discover: 3\nsites:\n- nme: a\n- name: b\n  zeo: [{conf: 1}]\n"))
    assert found == [
        ":1: discover: must be true or false",
        ":3: sites[0].name: is required",
        ":3: sites[0].nme: unknown key (did you mean name?)",
        ":5: sites[1].zeo[0].conf: must be a path (put it in quotes)",
    ]


def test_aliases_that_multiply_are_refused(write: Write) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    (found,) = problems(write("\n".join(lines)))
    assert "grows too large" in found


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.absolute(), ": is missing"),
        (lambda path: path.mkdir(), ": is not a regular file"),
        (os.mkfifo, ": is not a regular file"),
        (lambda path: path.write_bytes(b"a: \xff\xfe"), ": is not text"),
        (lambda path: path.write_bytes(b"a: \x00"), ": is not text"),
    ],
)
def test_what_is_no_file_of_text_is_said(
    tmp_path: Path, make: Callable[[Path], object], message: str
) -> None:
    path = tmp_path / "c.yml"
    make(path)
    (found,) = problems(path)
    assert found.startswith(message)


SECRET = "k9x-hunter2-7Qz"


@pytest.mark.parametrize(
    "text",
    [
        f"sites: {SECRET}",
        f"state_dir: [{SECRET}]",
        f"a: *{SECRET}",
        f"a: @{SECRET}",
        f"a: !{SECRET} b",
        f"a: '{SECRET}",
        f"sites:\n- name: [{SECRET}]",
        f"sites:\n- {{name: a, ping: [{{name: b, url: 'ftp://user:{SECRET}@h/'}}]}}",
        f"sites:\n- {{name: a, ping: [{{name: b, url: 'http://u:{SECRET}@:99999/'}}]}}",
        f"sites:\n- {{name: a, ping: [{{name: b, url: 'http://x/', timeout: {SECRET}}}]}}",
        f"sites:\n- {{name: a, ping: [{{name: b, url: 'http://x/', status: [{SECRET}]}}]}}",
        f"discover: {SECRET}",
    ],
)
def test_no_value_is_ever_repeated(write: Write, text: str) -> None:
    assert SECRET not in "\n".join(problems(write(text)))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    content=st.binary(max_size=200)
    | st.text(alphabet="{}[]&*!|>'\"%@:-?, \n\tab1", max_size=60).map(str.encode)
)
def test_any_bytes_give_a_config_or_a_config_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "c.yml"
    path.write_bytes(content)
    try:
        outcome: object = load_config(path)
    except ConfigError as error:
        outcome = error.problems
    assert outcome


def test_no_two_sites_share_a_repository(write: Write) -> None:
    shared = "backup: {repository: here/../backups}"
    text = f"sites:\n- {{name: a, {shared}}}\n- {{name: b, backup: {{repository: backups}}}}"
    [problem] = problems(write(text))
    assert "two sites have their backups in" in problem


@pytest.mark.parametrize("inner", ["backups/databases/foo", "backups/b", "link/databases/foo"])
def test_no_repository_is_within_that_of_another_site(
    write: Write, tmp_path: Path, inner: str
) -> None:
    (tmp_path / "backups").mkdir()
    (tmp_path / "link").symlink_to("backups")
    for places in ((inner, "backups"), ("backups", inner)):
        sites = [f"{{name: s{n}, backup: {{repository: {p}}}}}" for n, p in enumerate(places)]
        [problem] = problems(write(f"sites: [{', '.join(sites)}]"))
        assert "one is within the other" in problem
        assert "give each a directory of its own" in problem


def test_repositories_side_by_side_are_none_of_that(write: Write) -> None:
    text = "sites: [{name: a, backup: {repository: b}}, {name: b, backup: {repository: b-2}}]"
    assert len(load_config(write(text)).sites) == 2


def test_a_repository_that_is_a_circle_of_links_breaks_nothing(
    write: Write, tmp_path: Path
) -> None:
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    text = "sites: [{name: a, backup: {repository: one}}, {name: b, backup: {repository: c}}]"
    assert len(load_config(write(text)).sites) == 2
