"""Every block of the documentation is run by a test, or is checked, or says why it is not."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import bcrypt
import click
import pytest
import trustme
import yaml

from tests.support.programs.commands import run
from tests.support.programs.debian import tool
from tests.support.programs.documented import PAGES, READMES, RUNBOOKS, TOP, Block, blocks
from tests.support.programs.require import require
from zope_exporter.alerting.thresholds import read_thresholds
from zope_exporter.cli.main import main
from zope_exporter.config.load import load_config
from zope_exporter.config.schema import Config, SiteConfig
from zope_exporter.web.webconfig import load_web_config

BLOCKS = list(blocks(*PAGES, *READMES, *RUNBOOKS))
LANGUAGES = {"sh", "yaml", "ini", "dockerfile", "cron", "logrotate", "zconfig", "text"}
MARKS = ("demo command", "test command")
SHELL = [block for block in BLOCKS if block.language == "sh"]
YAML = [block for block in BLOCKS if block.language == "yaml"]


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_its_language_is_known(block: Block) -> None:
    assert block.language in LANGUAGES


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_a_command_is_run_by_a_test_or_says_why_not(block: Block) -> None:
    if block.mark in MARKS:
        return
    kind, _, rest = block.mark.partition(" by " if block.mark.startswith("run") else ": ")
    if kind == "run":
        test = TOP / rest
        assert f'run_by("{rest}")' in test.read_text(), f"{rest} does not run it"
    else:
        assert kind == "not run"
        assert rest
    for named in re.findall(r"tests/[\w/]+(?:\.py)?", block.mark):
        assert (TOP / named).exists(), named


def calls(block: Block) -> list[list[str]]:
    """The words after `zope-exporter` of each call in it."""
    lines = re.findall(r"(?:^|/bin/)zope-exporter +([a-z].*)$", block.text, re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


CALLING = [block for block in BLOCKS if calls(block)]


@pytest.mark.parametrize("block", CALLING, ids=str)
def test_it_calls_commands_with_flags_that_there_are(block: Block) -> None:
    if block.language in {"yaml", "dockerfile"}:
        return
    for words in calls(block):
        command: click.Command = main
        while isinstance(command, click.Group) and words and words[0] in command.commands:
            command = command.commands[words.pop(0)]
        assert command is not main, words
        known = {option for flag in command.params for option in flag.opts}
        assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known


def as_configuration(text: str, directory: Path) -> None:
    file = directory / "config.yml"
    file.write_text(text if text[0] != " " else f"sites:\n  - name: intranet\n{text}")
    load_config(file)


def as_prometheus(text: str, directory: Path) -> None:
    file = directory / "prometheus.yml"
    file.write_text(text)
    (directory / "rules").mkdir()
    (directory / "rules/zope.yml").write_text((TOP / "alerts/rules/zope.yml").read_text())
    run([require(tool, "promtool"), "check", "config", file], directory / "promtool.log")


def as_web_configuration(text: str, directory: Path) -> None:
    leaf = trustme.CA().issue_cert("exporter.example")
    leaf.private_key_pem.write_to_path(directory / "exporter.key")
    leaf.cert_chain_pems[0].write_to_path(directory / "exporter.crt")
    password = bcrypt.hashpw(b"geheim", bcrypt.gensalt(4)).decode()
    (directory / "web.yml").write_text(text.replace("$2y$10$...", password))
    load_web_config(directory / "web.yml")


def as_thresholds(text: str, directory: Path) -> None:
    (directory / "thresholds.yml").write_text(text)
    read_thresholds(TOP / "alerts/thresholds.yml", directory / "thresholds.yml")


def as_compose(text: str, _: Path) -> None:
    assert yaml.safe_load(text).keys() == {"services", "volumes"}  # tests/deploy starts it


CHECKS: dict[str, Callable[[str, Path], None]] = {
    **dict.fromkeys(Config.model_fields, as_configuration),
    **dict.fromkeys(SiteConfig.model_fields, as_configuration),
    **dict.fromkeys(("scrape_configs", "rule_files", "alerting"), as_prometheus),
    **dict.fromkeys(("tls_server_config", "basic_auth_users"), as_web_configuration),
    **dict.fromkeys(("job", "pack_overdue", "runbook_public"), as_thresholds),
    "services": as_compose,
}


@pytest.mark.parametrize("block", YAML, ids=str)
def test_yaml_is_accepted_by_what_reads_it(block: Block, tmp_path: Path) -> None:
    first = next(iter(yaml.safe_load(block.text)))
    CHECKS[first](block.text, tmp_path)
