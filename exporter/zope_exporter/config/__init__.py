"""What the configuration file may say, and how a command finds it."""

import shlex
from pathlib import Path

# Where a command that is given no --config.file finds the path of its configuration.
CONFIG_VARIABLE = "ZOPE_EXPORTER_CONFIG"


def exported(config_file: Path) -> str:
    """Return the line for a shell by which each further command finds this configuration."""
    return f"export {CONFIG_VARIABLE}={shlex.quote(str(config_file.absolute()))}"
