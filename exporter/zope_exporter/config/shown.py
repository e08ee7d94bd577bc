"""The configuration as it is used, for people: with all defaults and without secrets."""

import yaml

from .schema import Config


def as_yaml(config: Config) -> str:
    """Return a configuration in the form of its file.

    Each type of `types.py` knows how it is written. What may hold a secret is cut short.
    """
    data = config.model_dump(mode="json", by_alias=True, exclude_none=True)
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
