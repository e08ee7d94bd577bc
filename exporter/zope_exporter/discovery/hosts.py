"""The names and addresses by which this host knows itself, without asking the network."""

import socket
from pathlib import Path

import psutil


def local_hosts(hosts_file: Path = Path("/etc/hosts")) -> frozenset[str]:
    """Return every name and address of this host that its own files and interfaces give."""
    addresses = {
        address.address.partition("%")[0]
        for interface in psutil.net_if_addrs().values()
        for address in interface
        if address.family in (socket.AF_INET, socket.AF_INET6)
    }
    names = {socket.gethostname().lower()}
    try:
        lines = hosts_file.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        address, *aliases = line.partition("#")[0].lower().split() or [""]
        if address in addresses or address.startswith("127."):
            names.update(aliases)
    return frozenset(addresses | names)
