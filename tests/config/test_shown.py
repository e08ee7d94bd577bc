from pathlib import Path

import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.config.test_load import FULL
from zope_exporter.config.load import load_config
from zope_exporter.config.schema import Config
from zope_exporter.config.shown import as_yaml

SECRET = """
links: {grafana: "https://viewer:geheim@grafana.example.org/"}
sites:
  - name: intranet
    ping: [{name: door, url: "https://user:geheim@localhost:8443/ok"}]
    backup: {repository: backups, before: [/usr/bin/dump, --password=geheim]}
actions:
  token_file: token
  watchdog: {url: "https://bot:geheim@chat.example.org:8443/hooks/geheim?key=geheim"}
"""


def test_it_is_a_configuration_that_means_the_same(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_text(FULL.replace("user:geheim@", ""))
    config = load_config(path)
    shown = tmp_path / "shown.yml"
    shown.write_text(as_yaml(config))
    assert load_config(shown) == config


def test_what_is_left_out_is_shown_with_its_default(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_text("sites: [{name: intranet, backup: {repository: /backup}}]\n")
    backup = yaml.safe_load(as_yaml(load_config(path)))["sites"][0]["backup"]
    assert backup["max_age"] == "26h"
    assert backup["verify"] == {"level": "restore", "every": "7d"}
    assert yaml.safe_load(as_yaml(Config()))["scan_memory"] == "256MB"


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_text(SECRET)
    text = as_yaml(load_config(path))
    assert "geheim" not in text
    for kept in (
        "https://localhost:8443/ok",
        "https://chat.example.org:8443/",
        "/usr/bin/dump",
        "https://graf",
    ):
        assert kept in text
    path.write_text(text)
    load_config(path)


@given(st.integers(0, 10**10), st.sampled_from(["ms", "s", "m", "h", "d"]))
def test_every_duration_is_shown_as_it_is_read(number: int, unit: str) -> None:
    site = {"name": "a", "backup": {"repository": "/backup", "max_age": f"{number}{unit}"}}
    config = Config.model_validate({"sites": [site]})
    again = Config.model_validate(yaml.safe_load(as_yaml(config)))
    (read,), (was,) = again.sites, config.sites
    assert read.backup
    assert was.backup
    assert abs(read.backup.max_age - was.backup.max_age) < 0.0001
