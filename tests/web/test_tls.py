import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from tests.support.web.server import (
    DEADLINE,
    Held,
    app_of,
    connect,
    eventually,
    get,
    read_to_end,
    serving,
    status,
)
from zope_exporter.config.load import ConfigError
from zope_exporter.web.connections import ConnectionLimits
from zope_exporter.web.server import Server
from zope_exporter.web.tls import make_context
from zope_exporter.web.webconfig import load_web_config

CONFIG = "tls_server_config: {cert_file: server.crt, key_file: server.key%s}\n"
CLIENTS = ", client_ca_file: ca.crt, client_auth_type: RequireAndVerifyClientCert"


class Pki:
    """A directory with a web configuration and the files it names."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ca = trustme.CA()
        self.ca.cert_pem.write_to_path(directory / "ca.crt")
        self.config = directory / "web.yml"
        self.say("")
        self.issue()

    def say(self, more: str) -> None:
        self.config.write_text(CONFIG % more)

    def issue(self, key_type: trustme.KeyType = trustme.KeyType.ECDSA) -> None:
        """Write a new certificate, valid for the name and the address, and its key."""
        leaf = self.ca.issue_cert("localhost", "127.0.0.1", key_type=key_type)
        leaf.private_key_pem.write_to_path(self.directory / "server.key")
        leaf.cert_chain_pems[0].write_to_path(self.directory / "server.crt")

    def client(self, certificate_of: trustme.CA | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.ca.configure_trust(context)
        if certificate_of is not None:
            certificate_of.issue_cert("prometheus").configure_cert(context)
        return context


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path)


@contextmanager
def handshaken(server: Server, pki: Pki) -> Iterator[ssl.SSLSocket]:
    with (
        connect(server) as peer,
        pki.client().wrap_socket(peer, server_hostname="localhost") as wrapped,
    ):
        yield wrapped


def serial(server: Server, pki: Pki) -> object:
    with handshaken(server, pki) as peer:
        certificate = peer.getpeercert()
    assert certificate
    return certificate["serialNumber"]


def test_a_scrape_over_tls(pki: Pki) -> None:
    with serving(web_config=pki.config) as server:
        assert server.url.startswith("https://")
        answer = httpx.get(f"{server.url}/metrics", verify=pki.client())
    assert answer.status_code == 200
    assert "zope_size_bytes" in answer.text


def test_a_new_certificate_is_served_without_a_restart(pki: Pki) -> None:
    with (
        serving(web_config=pki.config) as server,
        httpx.Client(verify=pki.client()) as kept_open,
    ):
        assert kept_open.get(server.url).status_code == 200
        old = serial(server, pki)
        pki.issue()
        assert serial(server, pki) != old
        assert kept_open.get(server.url).status_code == 200


def test_a_broken_pair_keeps_the_last_good_one(pki: Pki, caplog: pytest.LogCaptureFixture) -> None:
    certificate = pki.directory / "server.crt"
    with serving(web_config=pki.config) as server:
        old = serial(server, pki)
        good = certificate.read_bytes()
        for damage in (b"", b"garbage", trustme.CA().cert_pem.bytes()):
            certificate.write_bytes(damage)
            assert serial(server, pki) == old
            assert serial(server, pki) == old
        certificate.unlink()
        assert serial(server, pki) == old
        certificate.write_bytes(good)
        assert serial(server, pki) == old
    told = [record for record in caplog.records if "last good certificate" in record.message]
    assert len(told) == 4


def test_stricter_settings_that_cannot_be_met_let_nobody_in(pki: Pki) -> None:
    with serving(web_config=pki.config) as server:
        assert httpx.get(server.url, verify=pki.client()).status_code == 200
        (pki.directory / "ca.crt").unlink()
        pki.say(CLIENTS)
        with pytest.raises(httpx.TransportError):
            httpx.get(server.url, verify=pki.client())
        pki.ca.cert_pem.write_to_path(pki.directory / "ca.crt")
        with pytest.raises(httpx.TransportError):
            httpx.get(server.url, verify=pki.client())
        assert httpx.get(server.url, verify=pki.client(pki.ca)).status_code == 200


def test_a_broken_configuration_answers_500_over_tls(pki: Pki) -> None:
    with serving(web_config=pki.config) as server:
        pki.config.write_text("a: [")
        assert httpx.get(server.url, verify=pki.client()).status_code == 500


def test_client_certificates(pki: Pki) -> None:
    pki.say(CLIENTS)
    with serving(web_config=pki.config) as server:
        assert httpx.get(server.url, verify=pki.client(pki.ca)).status_code == 200
        for stranger in (None, trustme.CA()):
            with pytest.raises(httpx.TransportError):
                httpx.get(server.url, verify=pki.client(stranger))


def test_a_certificate_only_if_there_is_one(pki: Pki) -> None:
    pki.say(CLIENTS.replace("RequireAndVerifyClientCert", "VerifyClientCertIfGiven"))
    with serving(web_config=pki.config) as server:
        for client in (None, pki.ca):
            assert httpx.get(server.url, verify=pki.client(client)).status_code == 200
        with pytest.raises(httpx.TransportError):
            httpx.get(server.url, verify=pki.client(trustme.CA()))


@pytest.mark.parametrize(
    ("setting", "version"),
    [(", max_version: TLS12", "TLSv1.2"), (", min_version: TLS13", "TLSv1.3"), ("", "TLSv1.3")],
)
def test_versions(pki: Pki, setting: str, version: str) -> None:
    pki.say(setting)
    with serving(web_config=pki.config) as server, handshaken(server, pki) as peer:
        assert peer.version() == version


@pytest.fixture
def impatient(pki: Pki) -> Iterator[Server]:
    with serving(web_config=pki.config, limits=ConnectionLimits(patience=0.5)) as server:
        yield server


@pytest.mark.parametrize(
    "opening",
    [b"", b"\x16\x03\x01", get(), b"\0" * 500, bytes(range(256)), b"\x16\x03\x01\xff\xff"],
)
def test_a_bad_handshake_ends_and_hurts_nobody(
    pki: Pki, impatient: Server, opening: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with connect(impatient) as peer:
        peer.sendall(opening)
        assert b"HTTP" not in read_to_end(peer)
    assert httpx.get(impatient.url, verify=pki.client()).status_code == 200
    assert not caplog.records or not any(record.exc_info for record in caplog.records)


def test_half_open_handshakes_do_not_keep_a_scrape_waiting(pki: Pki) -> None:
    limits = ConnectionLimits(patience=2.0, spared=0.1, connections=64)
    with serving(web_config=pki.config, limits=limits) as server, ExitStack() as stack:
        half_open = [stack.enter_context(connect(server)) for _ in range(200)]
        assert httpx.get(f"{server.url}/metrics", verify=pki.client()).status_code == 200
        for peer in half_open:
            assert read_to_end(peer) == b""


def test_the_oldest_handshake_makes_room(pki: Pki) -> None:
    limits = ConnectionLimits(patience=DEADLINE * 10, spared=0.1, connections=2)
    with serving(web_config=pki.config, limits=limits) as server, ExitStack() as stack:
        first, _ = (stack.enter_context(connect(server)) for _ in range(2))
        assert httpx.get(server.url, verify=pki.client()).status_code == 200
        assert read_to_end(first) == b""


def test_slow_requests_over_tls_are_cut_off(pki: Pki, impatient: Server) -> None:
    with handshaken(impatient, pki) as peer:
        peer.sendall(b"GET /met")
        with suppress(ssl.SSLError, ConnectionError):
            assert peer.recv(100) == b""
    eventually(lambda: not impatient.server_state.connections)


def test_it_ends_with_half_open_handshakes(pki: Pki) -> None:
    with ExitStack() as stack:
        with serving(web_config=pki.config) as server:
            silent = stack.enter_context(connect(server))
            assert httpx.get(server.url, verify=pki.client()).status_code == 200
        assert read_to_end(silent) == b""


def test_hostile_bytes_inside_tls(pki: Pki, impatient: Server) -> None:
    with handshaken(impatient, pki) as peer:
        peer.sendall(bytes(range(256)))
        assert status(peer.recv(1000)) == 400


def test_garbage_while_a_scrape_runs_over_tls(pki: Pki, caplog: pytest.LogCaptureFixture) -> None:
    """The end of TLS takes a while, in which the scrape ends."""
    held = Held()
    with serving(app_of(held), web_config=pki.config) as server, handshaken(server, pki) as peer:
        peer.sendall(get(headers=["Transfer-Encoding: chunked"]))
        eventually(held.begun.is_set)
        peer.sendall(b"zz\r\n")
        assert status(peer.recv(1000)) == 400
        held.release.set()
        eventually(lambda: not server.server_state.tasks)
    assert not [record for record in caplog.records if record.exc_info]


def problem(pki: Pki) -> str:
    config = load_web_config(pki.config).tls_server_config
    assert config
    with pytest.raises(ConfigError) as caught:
        make_context(pki.config, config)
    return str(caught.value).replace(f"{pki.directory}/", "")


def test_files_that_cannot_be_used_are_named(pki: Pki) -> None:
    other = trustme.CA().issue_cert("a")
    certificate, key = pki.directory / "server.crt", pki.directory / "server.key"
    good_key = key.read_bytes()
    other.private_key_pem.write_to_path(key)
    assert problem(pki) == (
        "web.yml: tls_server_config.key_file: server.key does not belong to server.crt "
        "(give the key the certificate was made with)"
    )
    no_key = (
        "web.yml: tls_server_config.key_file: server.key is no private key, or one with a "
        "passphrase (give an unencrypted key in PEM)"
    )
    key.write_text("garbage")
    assert problem(pki) == no_key
    key.write_bytes(
        serialization.load_pem_private_key(good_key, None).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"geheim"),
        )
    )
    assert problem(pki) == no_key
    certificate.write_text("")
    assert problem(pki) == (
        "web.yml: tls_server_config.cert_file: server.crt holds no certificate (give one in PEM)"
    )
    certificate.unlink()
    key.unlink()
    assert problem(pki).splitlines() == [
        f"web.yml: tls_server_config.{name}: server.{end} cannot be read: No such file or "
        "directory (correct path or rights)"
        for name, end in (("cert_file", "crt"), ("key_file", "key"))
    ]


def test_a_client_ca_that_is_none_is_named(pki: Pki) -> None:
    pki.say(CLIENTS)
    (pki.directory / "ca.crt").write_text("garbage")
    assert problem(pki) == (
        "web.yml: tls_server_config.client_ca_file: ca.crt holds no certificate (give one in PEM)"
    )


def test_a_server_does_not_start_without_its_certificate(pki: Pki) -> None:
    (pki.directory / "server.key").unlink()
    with pytest.raises(ConfigError, match="key_file"), serving(web_config=pki.config):
        pass


def negotiated(server: Server, client: ssl.SSLContext) -> str:
    with connect(server) as peer, client.wrap_socket(peer, server_hostname="localhost") as wrapped:
        cipher = wrapped.cipher()
    assert cipher
    return cipher[0]


def of_tls12(pki: Pki, ciphers: str, curve: str = "prime256v1") -> ssl.SSLContext:
    client = pki.client()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers(ciphers)
    client.set_ecdh_curve(curve)
    return client


OLD = "ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA"
CBC = "[TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA]"


def test_ciphers_without_authentication_are_off_until_they_are_named(pki: Pki) -> None:
    with serving(web_config=pki.config) as server:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            negotiated(server, of_tls12(pki, OLD))
        assert "GCM" in negotiated(server, of_tls12(pki, "ECDHE+AES128"))
        pki.say(f", cipher_suites: {CBC}")
        assert negotiated(server, of_tls12(pki, OLD)) in OLD.split(":")
        assert negotiated(server, pki.client()).startswith("TLS_")  # those of TLS 1.3 stay


def test_cipher_suites_of_tls_13_only_leave_no_other_version(pki: Pki) -> None:
    pki.say(", cipher_suites: [TLS_AES_128_GCM_SHA256]")
    with serving(web_config=pki.config) as server:
        assert negotiated(server, pki.client()).startswith("TLS_")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            negotiated(server, of_tls12(pki, "ECDHE+AESGCM"))


@pytest.mark.parametrize(("prefer", "strength"), [("true", "AES256"), ("false", "AES128")])
def test_whose_order_of_ciphers_counts(pki: Pki, prefer: str, strength: str) -> None:
    suites = [f"TLS_ECDHE_{key}_WITH_AES_256_GCM_SHA384" for key in ("RSA", "ECDSA")]
    suites += [f"TLS_ECDHE_{key}_WITH_AES_128_GCM_SHA256" for key in ("RSA", "ECDSA")]
    pki.say(f", cipher_suites: [{', '.join(suites)}], prefer_server_cipher_suites: {prefer}")
    with serving(web_config=pki.config) as server:
        client = of_tls12(pki, "ECDHE+AESGCM+AES128:ECDHE+AESGCM+AES256")
        assert strength in negotiated(server, client)


def test_the_curve_that_is_preferred_is_the_one(pki: Pki) -> None:
    # A key on a curve of its own would have to be of this one, too.
    pki.issue(trustme.KeyType.RSA)
    pki.say(", curve_preferences: [CurveP384]")
    with serving(web_config=pki.config) as server:
        assert negotiated(server, of_tls12(pki, "ECDHE+AESGCM", "secp384r1"))
        with pytest.raises((ssl.SSLError, ConnectionError)):
            negotiated(server, of_tls12(pki, "ECDHE+AESGCM", "prime256v1"))


def test_more_curves_than_python_can_be_given_are_refused(pki: Pki) -> None:
    pki.say(", curve_preferences: [CurveP384, CurveP256]")
    config = load_web_config(pki.config).tls_server_config
    assert config
    if hasattr(ssl.SSLContext, "set_groups"):
        assert make_context(pki.config, config)
        return
    with pytest.raises(ConfigError, match=r"curve_preferences: .* one curve only .*keep the first"):
        make_context(pki.config, config)
