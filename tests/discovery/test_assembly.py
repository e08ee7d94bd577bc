"""Which ZEO servers a site has, what it uses of each, and how they can be asked."""

from collections.abc import Sequence
from pathlib import Path

from zope_exporter.discovery.assembly import zeo_servers
from zope_exporter.discovery.inventory import Database, Process, Service, TlsFiles, ZeoServer
from zope_exporter.discovery.sharing import Sharing

HERE = frozenset({"zeo.example.com"})
TLS = TlsFiles(Path("ca.pem"), Path("client.pem"), Path("client.key"))
OTHER_TLS = TlsFiles(Path("other.pem"))


def zope(*databases: Database) -> Service:
    return Service("zope", "client", None, databases=databases)


def client(address: str, storage: str = "1", tls: TlsFiles | None = None) -> Database:
    return Database("main", "zeo", zeo_servers=(address,), zeo_storage=storage, zeo_tls=tls)


def server(
    address: str = "127.0.0.1:8100",
    name: str = "zeo",
    storages: Sequence[str] = ("1",),
    pid: int = 1,
    **options: object,
) -> Service:
    served = tuple(
        Database(each, "filestorage", zeo_servers=(address,), zeo_storage=each) for each in storages
    )
    process = Process(pid, 1.0) if pid else None
    return Service("zeo", name, None, databases=served, address=address, process=process, **options)  # type: ignore[arg-type]  # of the tests' own making


def found(
    sites: dict[str, list[Service]], declared: dict[str, list[ZeoServer]] | None = None
) -> dict[str, tuple[ZeoServer, ...]]:
    services = [service for site in sites.values() for service in site]
    return zeo_servers(sites, declared or {}, Sharing(services, HERE))


def test_a_server_of_this_host_has_its_name_by_whatever_address_its_clients_call_it() -> None:
    site = [server(), zope(client("zeo.example.com:8100"), client("127.0.0.2:8100", "2"))]
    assert found({"a": site})["a"] == (ZeoServer("zeo", "127.0.0.1:8100", ("1", "2")),)


def test_a_server_elsewhere_is_known_by_its_address() -> None:
    site = [zope(client("192.0.2.1:8100"), client("192.0.2.1:8100", "catalog"))]
    assert found({"a": site})["a"] == (
        ZeoServer("192.0.2.1:8100", "192.0.2.1:8100", ("1", "catalog")),
    )


def test_unix_sockets_have_the_name_of_their_file() -> None:
    site = [zope(client("/srv/a/zeo.sock"), client("/srv/b/zeo.sock"))]
    assert [(each.name, each.address) for each in found({"a": site})["a"]] == [
        ("zeo.sock", "/srv/a/zeo.sock"),
        ("zeo.sock-2", "/srv/b/zeo.sock"),
    ]


def test_each_storage_of_a_shared_server_is_in_the_site_that_uses_it() -> None:
    shared = server(storages=("a", "b", "unused"))
    sites = {
        "first": [shared, zope(client("127.0.0.1:8100", "a"))],
        "second": [shared, zope(client("127.0.0.1:8100", "b"))],
    }
    assert found(sites) == {
        "first": (ZeoServer("zeo", "127.0.0.1:8100", ("a", "unused"), elsewhere=frozenset({"b"})),),
        "second": (ZeoServer("zeo", "127.0.0.1:8100", ("b",), elsewhere=None),),
    }


def test_of_two_servers_for_one_address_the_one_that_runs_counts() -> None:
    [only] = found({"a": [server(name="old", pid=0), server(name="new"), server(name="x", pid=0)]})[
        "a"
    ]
    assert only.name == "new"


def test_a_server_without_an_address_is_none() -> None:
    assert found({"a": [server(address="")]})["a"] == ()


def test_tls_is_that_of_its_clients_unless_the_configuration_says_otherwise() -> None:
    wants = server(wants_tls=True)
    [unknown] = found({"a": [wants]})["a"]
    assert "give ca_file, cert_file and key_file" in unknown.problem
    [of_client] = found({"a": [wants, zope(client("127.0.0.1:8100", tls=OTHER_TLS))]})["a"]
    assert (of_client.tls, of_client.problem) == (OTHER_TLS, "")
    declared = server(wants_tls=True, tls=TLS)
    [of_conf] = found({"a": [declared, zope(client("127.0.0.1:8100", tls=OTHER_TLS))]})["a"]
    assert (of_conf.tls, of_conf.problem) == (TLS, "")


def test_what_the_configuration_says_of_an_address_is_said_of_the_server_there() -> None:
    entry = ZeoServer("", "zeo.example.com:8100", monitor="127.0.0.1:8101", tls=TLS)
    [here] = found({"a": [server(wants_tls=True)]}, {"a": [entry]})["a"]
    assert here == ZeoServer("zeo", "127.0.0.1:8100", ("1",), tls=TLS, monitor="127.0.0.1:8101")
    [elsewhere] = found({"a": []}, {"a": [ZeoServer("", "192.0.2.1:8100")]})["a"]
    assert elsewhere == ZeoServer("192.0.2.1:8100", "192.0.2.1:8100")


def test_the_monitor_port_is_that_of_its_zeo_conf() -> None:
    [only] = found({"a": [server(monitor_address="127.0.0.1:8101")]})["a"]
    assert only.monitor == "127.0.0.1:8101"
