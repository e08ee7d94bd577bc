from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zope_exporter.discovery.assembly import assemble
from zope_exporter.discovery.candidate import Candidate, Source
from zope_exporter.discovery.inventory import Database, Process, Service, Site, Target
from zope_exporter.discovery.sharing import Sharing, own_name
from zope_exporter.discovery.sites import settle

HERE = frozenset({"zeo.example.com", "192.0.2.7"})


def zope(home: str, *databases: Database, urls: Sequence[str] = (), pid: int = 0) -> Service:
    return Service(
        "zope",
        "",
        Path(home, "etc/zope.conf"),
        Path(home, "etc/zope.ini"),
        Path(home),
        tuple(urls),
        databases or (data_fs(f"{home}/var/Data.fs"),),
        process=Process(pid, 1.0) if pid else None,
    )


def zeo(home: str, address: str, *storages: str, pid: int = 0) -> Service:
    served = tuple(
        Database(
            name,
            "filestorage",
            data_fs=Path(home, f"{name}.fs"),
            blob_dir=Path(home, "blobs"),
            zeo_servers=(address,),
            zeo_storage=name,
        )
        for name in storages or ("1",)
    )
    return Service(
        "zeo",
        "",
        Path(home, "etc/zeo.conf"),
        home=Path(home),
        databases=served,
        address=address,
        process=Process(pid, 1.0) if pid else None,
    )


def data_fs(path: str | Path, name: str = "main") -> Database:
    return Database(name, "filestorage", data_fs=Path(path))


def client(address: str, storage: str = "1", name: str = "main") -> Database:
    return Database(name, "zeo", zeo_servers=(address,), zeo_storage=storage)


def member(service: Service, site: str = "", name: str = "", declared: bool = False) -> Candidate:
    return Candidate(service, Source(service.kind), site=site, name=name, declared=declared)


def members(*services: Service) -> list[Candidate]:
    return [member(service) for service in services]


def made(
    given: Sequence[Candidate], declared: dict[str, tuple[Target, ...]] | None = None
) -> tuple[Site, ...]:
    sharing = Sharing([member.service for member in given], HERE)
    sites = {name: Site(name, targets=targets) for name, targets in (declared or {}).items()}
    return assemble(settle(given, sites, sharing), sites, sharing)


def names(sites: Sequence[Site]) -> dict[str, list[str]]:
    return {site.name: [service.name for service in site.services] for site in sites}


@pytest.mark.parametrize(
    ("services", "expected"),
    [
        ([zope("/srv/intranet")], {"intranet": ["intranet"]}),
        ([zope("/srv/a"), zope("/srv/b")], {"a": ["a"], "b": ["b"]}),
        ([zope("/srv/a", data_fs("/d/x")), zope("/srv/b", data_fs("/d/x"))], {"a": ["a", "b"]}),
        ([zope("/srv/shop/parts/instance")], {"shop": ["instance"]}),
        ([zope("/srv/shop/parts/instance"), zope("/srv/blog/parts/instance")],
         {"shop": ["instance"], "blog": ["instance"]}),
        ([zope("/srv/a/shop"), zope("/srv/b/shop")], {"shop": ["shop"], "b-shop": ["shop"]}),
        ([zope("/a/shop", data_fs("/d/x")), zope("/b/shop", data_fs("/d/x"))],
         {"shop": ["shop", "b-shop"]}),
        ([zope("/a/parts/instance", data_fs("/d/x")), zope("/b/parts/instance", data_fs("/d/x"))],
         {"a": ["instance", "b-instance"]}),
        ([zope("/")], {"zope": ["zope"]}),
        ([zope("/srv/\udcff")], {"?": ["?"]}),
    ],
)  # fmt: skip
def test_zopes_are_put_together_by_their_data_fs(
    services: list[Service], expected: dict[str, list[str]]
) -> None:
    assert names(made(members(*services))) == expected


@pytest.mark.parametrize(
    ("client_address", "server_address", "together"),
    [
        ("127.0.0.1:8100", "127.0.0.1:8100", True),
        ("[::1]:8100", "127.0.0.1:8100", True),
        ("127.0.1.1:8100", "127.0.0.1:8100", True),
        ("zeo.example.com:8100", "127.0.0.1:8100", True),
        ("192.0.2.7:8100", "127.0.0.1:8100", True),
        ("127.0.0.1:8100", "192.0.2.7:8100", True),
        ("/run/zeo.sock", "/run/../run/zeo.sock", True),
        ("127.0.0.1:8101", "127.0.0.1:8100", False),
        ("zeo.example.org:8100", "127.0.0.1:8100", False),
        ("/run/zeo.sock", "127.0.0.1:8100", False),
    ],
)
def test_a_zeo_server_belongs_to_the_site_of_its_clients(
    client_address: str, server_address: str, together: bool
) -> None:
    sites = made(
        members(zope("/srv/shop", client(client_address)), zeo("/srv/data", server_address))
    )
    apart = {"shop": ["shop"], "data": ["data"]}
    assert names(sites) == ({"shop": ["shop", "data"]} if together else apart)


def test_an_exact_address_is_preferred_to_another_one_of_this_host() -> None:
    sites = made(
        members(
            zope("/srv/a", client("192.0.2.7:8100")),
            zeo("/srv/x", "127.0.0.1:8100"),
            zeo("/srv/y", "192.0.2.7:8100"),
        )
    )
    assert names(sites) == {"a": ["a", "y"], "x": ["x"]}


def test_clients_of_a_server_elsewhere_are_one_site() -> None:
    sites = made(members(zope("/a", client("zeo.test:8100")), zope("/b", client("zeo.test:8100"))))
    assert names(sites) == {"a": ["a", "b"]}


def test_clients_of_different_storages_are_sites_that_both_have_the_server() -> None:
    server = zeo("/srv/data", "127.0.0.1:8100", "1", "2", "3")
    sites = made(
        members(
            zope("/srv/a", client("127.0.0.1:8100", "1")),
            zope("/srv/b", client("127.0.0.1:8100", "2")),
            server,
        )
    )
    assert names(sites) == {"a": ["a", "data"], "b": ["b", "data"]}
    storages = [[(s.database, s.data_fs.name) for s in site.storages] for site in sites]
    assert storages == [[("main", "1.fs"), ("3", "3.fs")], [("main", "2.fs")]]


def test_a_temporary_database_ties_nothing_together_and_is_no_storage() -> None:
    temporary = Database("temp", "temporary", ("/temp_folder",))
    sites = made(
        members(
            zope("/srv/a", data_fs("/d/a"), temporary), zope("/srv/b", data_fs("/d/b"), temporary)
        )
    )
    assert [[storage.database for storage in site.storages] for site in sites] == [
        ["main"],
        ["main"],
    ]


def test_a_zope_and_a_zeo_server_in_one_directory_have_two_names() -> None:
    sites = made(
        members(zope("/srv/shop", client("127.0.0.1:8100")), zeo("/srv/shop", "127.0.0.1:8100"))
    )
    assert names(sites) == {"shop": ["shop", "shop-zeo"]}


def test_a_storage_appears_once_with_its_clients_name_and_its_owners(tmp_path: Path) -> None:
    (tmp_path / "1.fs").touch()
    (tmp_path / "link.fs").symlink_to("1.fs")
    (site,) = made(
        members(
            zope("/srv/a", client("127.0.0.1:8100", name="catalog"), pid=11),
            zope("/srv/b", data_fs(tmp_path / "link.fs", "direct"), pid=12),
            zeo(str(tmp_path), "127.0.0.1:8100", pid=13),
        )
    )
    (storage,) = site.storages
    assert storage.database == "catalog"
    assert storage.blob_dir == tmp_path / "blobs"
    assert storage.owners == (Process(12, 1.0), Process(13, 1.0))


def test_a_file_that_is_replaced_meanwhile_keeps_its_identity(tmp_path: Path) -> None:
    file = tmp_path / "Data.fs"
    file.touch()
    sharing = Sharing([], HERE)
    before = sharing.keys(data_fs(file))
    (tmp_path / "packed").touch()
    (tmp_path / "packed").rename(file)
    assert sharing.keys(data_fs(file)) == before
    assert Sharing([], HERE).keys(data_fs(file)) != before


def test_a_storage_without_known_client_has_its_zeo_name() -> None:
    (site,) = made(members(zeo("/srv/data", "127.0.0.1:8100", "main")))
    assert (site.name, [storage.database for storage in site.storages]) == ("data", ["main"])


def test_two_storages_of_one_database_name_are_told_apart() -> None:
    shared = client("127.0.0.1:8100", name="catalog")
    (site,) = made(
        members(zope("/srv/a", data_fs("/d/a"), shared), zope("/srv/b", data_fs("/d/b"), shared))
    )
    assert [storage.database for storage in site.storages] == ["main", "b-main"]


def test_every_zope_is_probed_at_its_root() -> None:
    sites = made(
        members(
            zope("/srv/a", urls=["http://127.0.0.1:8080"]),
            zope("/srv/b", urls=["http://[::1]:8081/deep", "http://127.0.0.1:8082"]),
        )
    )
    assert [site.targets for site in sites] == [
        (Target("a", "http://127.0.0.1:8080/", any_answer=True),),
        (Target("b", "http://[::1]:8081/", any_answer=True),),
    ]


def test_a_zope_on_a_unix_socket_only_is_not_probed_and_says_so() -> None:
    (site,) = made(members(zope("/srv/a")))
    assert site.targets == ()
    assert "/srv/a/etc/zope.ini: no TCP address to probe" in site.services[0].problems[0]


def test_declared_targets_are_all_that_is_probed() -> None:
    ping = Target("home", "http://127.0.0.1/")
    (site,) = made(members(zope("/srv/a", urls=["http://127.0.0.1:1"])), {"a": (ping,)})
    assert site.targets == (ping,)
    assert site.services[0].problems == ()


def test_a_declared_site_takes_in_what_shares_its_storage_or_its_name() -> None:
    declared = zope("/srv/x", data_fs("/d/x"))
    given = [
        member(declared, "intranet", "main", declared=True),
        member(zope("/srv/y", data_fs("/d/x")), "y", "y"),
        member(zope("/srv/intranet")),
        member(zope("/srv/other")),
    ]
    assert names(made(given, {"intranet": (), "empty": ()})) == {
        "intranet": ["main", "y", "intranet"],
        "empty": [],
        "other": ["other"],
    }


def test_a_declared_zeo_server_brings_its_clients_along() -> None:
    given = [
        member(zeo("/srv/data", "127.0.0.1:8100"), "intranet", declared=True),
        member(zope("/srv/a", client("127.0.0.1:8100")), "a", "a"),
        member(zope("/srv/b", client("127.0.0.1:8100"))),
    ]
    assert names(made(given, {"intranet": ()})) == {"intranet": ["data", "a", "b"]}


def test_what_ties_two_known_sites_together_leaves_them_their_names() -> None:
    given = [
        member(zope("/srv/a", client("127.0.0.1:8100", "1")), "a", "a"),
        member(zope("/srv/b", client("127.0.0.1:8100", "2")), "b", "b"),
        member(
            zope(
                "/srv/c",
                client("127.0.0.1:8100", "1", "one"),
                client("127.0.0.1:8100", "2", "two"),
            )
        ),
    ]
    assert names(made(given)) == {"a": ["a", "c"], "b": ["b"]}


def test_clients_join_the_site_their_server_was_given_before_they_appeared() -> None:
    given = [
        member(zeo("/srv/data", "127.0.0.1:8100"), "data", "data"),
        member(zope("/srv/a", client("127.0.0.1:8100"))),
    ]
    assert names(made(given)) == {"data": ["data", "a"]}


HOMES = st.sampled_from(
    [f"/{top}/{middle}/{last}" for top in "ab" for middle in ("x", "parts") for last in "xy"]
)
SERVICES = st.one_of(
    st.builds(lambda home, file: zope(home, data_fs(f"/d/{file}")), HOMES, st.sampled_from("123")),
    st.builds(
        lambda home, port, storage: zope(home, client(f"127.0.0.1:{port}", storage)),
        HOMES,
        st.integers(1, 2),
        st.sampled_from("12"),
    ),
    st.builds(
        lambda home, port: zeo(home, f"127.0.0.1:{port}", "1", "2"), HOMES, st.integers(1, 2)
    ),
)


def settled(given: Sequence[Candidate]) -> tuple[Candidate, ...]:
    return settle(given, {}, Sharing([member.service for member in given], HERE))


@given(st.lists(SERVICES, max_size=8), st.lists(SERVICES, max_size=4))
def test_names_are_unique_and_stay_when_more_appears(
    first: list[Service], later: list[Service]
) -> None:
    before = settled(members(*first))
    known = [member(each.service, each.sites[0], each.service.name) for each in before]
    after = settled([*known, *members(*later)])
    for old, new in zip(before, after, strict=False):
        if new.service.kind == "zope":
            assert new.sites == old.sites
        if new.sites == old.sites:
            assert new.service.name == old.service.name
    for all_of_them in (before, after):
        labels = [(site, each.service.name) for each in all_of_them for site in each.sites]
        assert len(labels) == len(set(labels))


@given(st.lists(SERVICES, max_size=8))
def test_every_data_fs_is_in_one_place(services: list[Service]) -> None:
    sites = made(members(*services))
    files = [storage.data_fs for site in sites for storage in site.storages]
    labels = [(site.name, storage.database) for site in sites for storage in site.storages]
    assert len(files) == len(set(files))
    assert len(labels) == len(set(labels))
    assert set(files) == {d.data_fs for s in services for d in s.databases if d.data_fs}


TOOLS = (
    "/app",
    "/opt/plone/instance",
    "/usr/local/Plone/zinstance",
    "/srv/zeocluster/parts/client1",
)
SHARED = client("zeo.example.org:8100")


def on_host(host: str, *services: Service) -> list[str]:
    """The names of the sites that an exporter on this host finds."""
    found = [member(service) for service in services]
    sharing = Sharing(services, HERE)
    return [site.name for site in assemble(settle(found, {}, sharing, host), {}, sharing)]


@pytest.mark.parametrize("home", TOOLS)
def test_no_two_hosts_have_a_site_of_one_name_for_a_tool_has_named_its_directory(home: str) -> None:
    (one,), (other,) = on_host("web1", zope(home)), on_host("web2", zope(home))
    assert one != other
    assert one.startswith("web1-")
    assert other.startswith("web2-")


def test_what_a_person_has_called_a_directory_is_the_name_of_its_site_on_every_host() -> None:
    assert on_host("web1", zope("/srv/intranet"), zope("/srv/shop/parts/instance")) == [
        "intranet",
        "shop",
    ]


def test_a_directory_of_a_tool_is_that_of_the_site_which_the_configuration_calls_so() -> None:
    found = [member(zope("/srv/zope")), member(zope("/app"))]
    sharing = Sharing([each.service for each in found], HERE)
    declared = {"zope": Site("zope")}
    sites = assemble(settle(found, declared, sharing, "web1"), declared, sharing)
    assert names(sites) == {"zope": ["zope"], "web1-app": ["app"]}


def test_two_of_one_name_on_one_host_are_told_apart_by_what_they_are_in() -> None:
    assert on_host("web1", zope("/srv/a/instance"), zope("/srv/b/instance")) == [
        "web1-instance",
        "web1-b-instance",
    ]


def test_clients_of_one_zeo_server_are_one_site_on_every_host() -> None:
    assert on_host("web1", zope("/app", SHARED)) == ["zeo.example.org-8100"]
    assert on_host("web2", zope("/opt/plone/instance", SHARED)) == ["zeo.example.org-8100"]
    blog = client("[2001:db8::7]:8100", "blog")
    assert on_host("web1", zope("/app", blog)) == ["2001-db8--7-8100-blog"]


@pytest.mark.parametrize(
    "address",
    ["zeo:8100", "127.0.0.1:8100", "172.18.0.2:8100", "zeo.example.com:8100", "/run/zeo.sock",
     "host.docker.internal:8100"],
)  # fmt: skip
def test_an_address_that_may_lead_elsewhere_on_another_host_names_no_site(address: str) -> None:
    service = zope("/app", client(address))
    assert on_host("web1", service) == ["web1-app"]
    assert Sharing([service], HERE).shared_by([service]) == ""


def relstorage(database: str) -> Database:
    return Database("main", "relstorage", sql_database=database)


def test_clients_of_one_sql_database_are_one_site_on_every_host() -> None:
    database = relstorage("db.example.org:5432/plone")
    assert on_host("web1", zope("/app", database)) == ["db.example.org-plone"]
    both = zope("/srv/client1", database), zope("/srv/client2", database)
    assert on_host("web2", *both) == ["db.example.org-plone"]
    assert on_host("web2", zope("/app", relstorage("db:5432/plone"))) == ["web2-app"]
    assert Sharing(both, HERE).shared_by(both)


def test_sites_are_known_to_be_one_by_the_storage_they_share() -> None:
    def shared_by(*databases: Database) -> str:
        (site,) = made(members(zope("/srv/intranet", *databases)))
        return site.shared_by

    assert shared_by(SHARED) == shared_by(SHARED, data_fs("/d/catalog", "other"))
    assert len(shared_by(SHARED)) == 8
    different = {shared_by(client("zeo.example.org:8100", name)) for name in ("1", "main", "blog")}
    assert len(different) == 3
    assert shared_by(data_fs("/d/x")) == ""


def test_a_site_that_is_declared_to_span_hosts_is_one_whatever_it_shares() -> None:
    site = Site("intranet", shared_by="declared")
    (found,) = assemble((), {"intranet": site}, Sharing([], HERE))
    assert found.shared_by == "declared"


@pytest.mark.parametrize(
    ("hostname", "name"),
    [
        ("Web1", "web1"),
        ("web1.example.org", "web1.example.org"),
        ("3f2a9c1b7d10", ""),
        ("localhost", ""),
        ("plone-0", "plone-0"),
        ("plone-backend-6d5f7c9b8f-x2x4q", "plone-backend"),
    ],
)
def test_a_host_is_called_what_people_call_it(hostname: str, name: str) -> None:
    assert own_name(lambda: hostname) == name
