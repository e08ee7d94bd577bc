"""The examples at the end of each command's help."""

import click

EXAMPLES = {
    "serve": (
        "zope-exporter serve",
        "zope-exporter serve --config.file zope.yml --web.listen-address 127.0.0.1:9673",
    ),
    "check": (
        "zope-exporter check",
        "zope-exporter check --quiet --remember         # for cron, which mails it",
        "zope-exporter check --json | jq .status",
    ),
    "config check": ("zope-exporter config check /etc/zope-exporter/config.yml",),
    "config show": ("zope-exporter config show",),
    "init": ("zope-exporter init first-hour",),
    "demo": ("zope-exporter demo", "zope-exporter demo --stack"),
    "forget": ("zope-exporter forget client1",),
    "metrics": ("zope-exporter metrics",),
    "jobs": (
        "zope-exporter jobs",
        "zope-exporter jobs 17                          # everything about one",
    ),
    "pack": (
        "zope-exporter pack intranet --dry-run",
        "zope-exporter pack intranet --database main --days 7",
    ),
    "backup": (
        "zope-exporter backup                           # all that have a repository",
        "zope-exporter backup intranet --wait 3600 --quiet",
    ),
    "verify": (
        "zope-exporter verify intranet --level checksums",
        "zope-exporter verify /mnt/copy/intranet        # a copy of a repository",
    ),
    "backups": (
        "zope-exporter backups intranet",
        "zope-exporter backups /mnt/copy/intranet --json",
    ),
    "growth": (
        "zope-exporter growth intranet --since 7d --by path",
        "zope-exporter growth --data-fs /srv/zope/var/Data.fs",
    ),
    "slow": (
        "zope-exporter slow intranet",
        "zope-exporter slow intranet --since 24h --json",
    ),
    "advise": ("zope-exporter advise intranet",),
    "paths": ("zope-exporter paths intranet",),
    "plan pack": ("zope-exporter plan pack intranet",),
    "plan restore": ("zope-exporter plan restore intranet --at 2026-11-22T14:30:00+01:00",),
    "restore": (
        "zope-exporter restore /backup/intranet /srv/zope/var/Data.fs --dry-run",
        "zope-exporter restore /backup/intranet /tmp/Data.fs --at 2026-11-22T14:30:00",
    ),
    "recover": (
        "zope-exporter recover /srv/zope/var/Data.fs /tmp/recovered.fs",
        "zope-exporter recover /srv/zope/var/Data.fs --rescue-pack",
    ),
    "agent install": ("zope-exporter agent install --python /srv/zope/bin/python",),
    "agent wheel": ("zope-exporter agent wheel /srv/wheels",),
    "agent status": ("zope-exporter agent status",),
    "assets": ("zope-exporter assets /srv/zope-exporter",),
    "rules": ("zope-exporter rules /etc/prometheus/zope --thresholds thresholds.yml",),
    "completion": ("zope-exporter completion bash > /etc/bash_completion.d/zope-exporter",),
}


def with_examples(command: click.Command, name: str = "") -> None:
    """Let a command and those below it end their help with their examples."""
    if isinstance(command, click.Group):
        for each, below in command.commands.items():
            with_examples(below, f"{name} {each}".strip())
    elif name in EXAMPLES:
        shown = "\n".join(EXAMPLES[name])
        # The line with \b keeps click from filling the lines after it.
        command.epilog = f"{command.epilog or ''}\n\n\b\nExamples:\n{shown}".strip("\n")
