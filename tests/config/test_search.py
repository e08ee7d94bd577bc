"""How the configuration reaches those who work by it."""

from pathlib import Path

from zope_exporter.config.load import load_config
from zope_exporter.config.search import declared_site
from zope_exporter.discovery.inventory import Database, TlsFiles, ZeoServer, ZmiLogin

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


def test_a_database_given_by_hand_is_the_main_one(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "sites:\n"
        "  - name: intranet\n"
        "    instances:\n"
        "      - {zope_conf: zope.conf, wsgi_ini: zope.ini, blob_dir: blobs, agent: unix:/a.sock}\n"
        "      - {data_fs: Data.fs, pid_file: pid}\n"
        "      - {wsgi_ini: other.ini}\n"
    )
    (site,) = load_config(tmp_path / "config.yaml").sites
    both, alone, other = declared_site(site).services
    assert (both.config, both.wsgi_ini) == (tmp_path / "zope.conf", tmp_path / "zope.ini")
    assert both.agent_socket == Path("/a.sock")
    assert both.databases == (Database("main", "filestorage", blob_dir=tmp_path / "blobs"),)
    assert alone.databases == (Database("main", "filestorage", data_fs=tmp_path / "Data.fs"),)
    assert alone.pid_file == tmp_path / "pid"
    assert other.databases == ()
