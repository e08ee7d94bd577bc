from pathlib import Path

from zope_exporter.discovery.sharing import local_hosts


def test_names_of_this_host_are_those_of_its_own_addresses(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_bytes(
        b"127.0.0.1 localhost\n"
        b"127.0.1.1\tZEO.example.com zeo # our own\n"
        b"192.0.2.9 elsewhere.example.com\n"
        b"# 127.0.0.1 commented\n\n\xff\xfe\n"
    )
    found = local_hosts(hosts)
    assert {"127.0.0.1", "localhost", "zeo.example.com", "zeo"} <= found
    assert not {"elsewhere.example.com", "192.0.2.9", "commented", "our", "own"} & found


def test_without_a_hosts_file_the_interfaces_tell(tmp_path: Path) -> None:
    assert "127.0.0.1" in local_hosts(tmp_path / "missing")
