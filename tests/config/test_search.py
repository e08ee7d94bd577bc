"""How the configuration reaches those who work by it."""

from pathlib import Path

from zope_exporter.config.load import load_config
from zope_exporter.config.search import declared_site
from zope_exporter.discovery.inventory import TlsFiles, ZeoServer, ZmiLogin

CONFIG = """
sites:
  - name: intranet
    instances:
      - zope_conf: zope.conf
        zmi: {url: "http://127.0.0.1:8080", username: monitor, password_file: password}
    zeo:
      - {conf: zeo.conf, address: "127.0.0.1:8100", ca_file: ca.pem, cert_file: client.pem}
      - {address: "192.0.2.1:8100", monitor_address: "192.0.2.1:8101"}
      - {address: /srv/zeo.sock, ca_file: ca.pem, server_hostname: zeo.example.org}
"""


def test_zeo_servers_and_logins(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    (site,) = load_config(tmp_path / "config.yaml").sites
    declared = declared_site(site)
    zope, zeo = declared.services
    assert zope.zmi == ZmiLogin("http://127.0.0.1:8080", "monitor", tmp_path / "password")
    tls = TlsFiles(tmp_path / "ca.pem", tmp_path / "client.pem")
    assert (zeo.config, zeo.address, zeo.tls) == (tmp_path / "zeo.conf", "127.0.0.1:8100", tls)
    assert declared.zeo == (
        ZeoServer("", "192.0.2.1:8100", monitor="192.0.2.1:8101"),
        ZeoServer(
            "", "/srv/zeo.sock", tls=TlsFiles(tmp_path / "ca.pem", hostname="zeo.example.org")
        ),
    )
