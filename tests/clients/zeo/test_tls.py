"""Servers that want TLS, and a certificate of ours."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from tests.support.faults.odd_files import ODD
from tests.support.zeo.fake_server import fake_zeo, well
from tests.support.zopes.fake_agent import fake_agent
from zope_exporter.clients.zeo.probe import ZeoProber, ZeoResult
from zope_exporter.discovery.inventory import TlsFiles, ZeoServer

PATIENCE = 20.0


@dataclass
class Tls:
    """A certificate authority, a server of it on 127.0.0.1, and what its clients need."""

    address: str
    files: TlsFiles
    directory: Path

    def probe(self, **changes: object) -> ZeoResult:
        files = replace(self.files, **changes)  # type: ignore[arg-type]  # of the tests' own making
        return ZeoProber(PATIENCE).probe(ZeoServer("zeo", self.address, tls=files))


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[Tls]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    client = authority.issue_cert("client.test")
    client.private_key_and_cert_chain_pem.write_to_path(tmp_path / "both.pem")
    client.cert_chain_pems[0].write_to_path(tmp_path / "client.pem")
    client.private_key_pem.write_to_path(tmp_path / "client.key")
    with fake_zeo(well(), server_context(authority, "127.0.0.1")) as address:
        files = TlsFiles(tmp_path / "ca.pem", tmp_path / "client.pem", tmp_path / "client.key")
        yield Tls(address, files, tmp_path)


def server_context(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_with_a_certificate_of_ours(tls: Tls) -> None:
    assert tls.probe().up
    assert tls.probe(certificate=tls.directory / "both.pem", key=None).up


def test_a_directory_of_authorities_that_has_not_the_right_one(tls: Tls) -> None:
    directory = tls.directory / "authorities"
    directory.mkdir()
    answer = tls.probe(ca=directory)
    assert answer.up is None
    assert "TLS fails: self-signed certificate in certificate chain" in answer.problem


def test_without_a_certificate_of_ours(tls: Tls) -> None:
    answer = tls.probe(certificate=None, key=None)
    assert answer.up is None
    assert "TLS fails: " in answer.problem
    assert "certificate required" in answer.problem


def test_a_server_that_nobody_vouches_for(tls: Tls) -> None:
    trustme.CA().cert_pem.write_to_path(tls.directory / "other.pem")
    for ca in (tls.directory / "other.pem", None):
        answer = tls.probe(ca=ca)
        assert answer.up is None
        assert "TLS fails: " in answer.problem


@pytest.mark.parametrize(("changes", "up"), [({"hostname": "other.test"}, None), ({}, True)])
def test_the_name_in_its_certificate(tls: Tls, changes: dict[str, str], up: bool | None) -> None:
    answer = tls.probe(**changes)
    assert answer.up is up
    assert ("ostname mismatch" in answer.problem) == (up is None)
    assert tls.probe(hostname="other.test", check_hostname=False).up


def test_a_unix_socket_has_no_name_to_go_by(tls: Tls, tmp_path: Path) -> None:
    with fake_agent(tmp_path / "zeo.sock", well()) as path:
        answer = replace(tls, address=str(path)).probe()
    assert answer == ZeoResult(
        None, problem=f"{path} needs server_hostname under zeo: to verify its certificate"
    )


def test_a_server_without_tls(tls: Tls) -> None:
    with fake_zeo(well()) as address:
        answer = replace(tls, address=address).probe()
    assert answer.up is None
    assert "TLS fails: wrong version number" in answer.problem


@pytest.mark.parametrize("field", ["ca", "certificate", "key"])
@pytest.mark.parametrize(("content", "reason"), [(None, "No such file"), ("rubbish", "")])
def test_files_that_cannot_be_used_are_named(
    tls: Tls, field: str, content: str | None, reason: str
) -> None:
    file = tls.directory / "bad.pem"
    if content is not None:
        file.write_text(content)
    answer = tls.probe(**{field: file})
    assert answer.up is None
    assert str(file) in answer.problem
    assert reason in answer.problem


@pytest.mark.parametrize("field", ["ca", "certificate", "key"])
@pytest.mark.parametrize("kind", ["fifo", "device", "sparse"])
def test_files_that_never_end_are_named_at_once(tls: Tls, field: str, kind: str) -> None:
    file = tls.directory / "odd.pem"
    ODD[kind](file)
    answer = tls.probe(**{field: file})
    assert answer.up is None
    assert str(file) in answer.problem
    assert ("larger than" if kind == "sparse" else "not a regular file") in answer.problem


def test_a_key_with_a_password_is_refused_and_never_asked_for(tls: Tls) -> None:
    key = load_pem_private_key((tls.directory / "client.key").read_bytes(), None)
    locked = key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    (tls.directory / "locked.key").write_bytes(locked)
    answer = tls.probe(key=tls.directory / "locked.key")
    assert answer.up is None
    assert f"{tls.directory / 'locked.key'} cannot be used" in answer.problem


def test_certificates_are_read_anew(tls: Tls) -> None:
    good = (tls.directory / "ca.pem").read_bytes()
    trustme.CA().cert_pem.write_to_path(tls.directory / "ca.pem")
    assert tls.probe().up is None
    (tls.directory / "ca.pem").write_bytes(good)
    assert tls.probe().up
