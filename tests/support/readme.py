"""The README tables made from the code: `python -m tests.support.readme` writes them anew."""

import re
from pathlib import Path

from zope_exporter.reference import configuration_reference, metrics_reference
from zope_exporter.sidecar import declared_metrics

README = Path(__file__).parents[2] / "README.md"


def with_tables(text: str) -> str:
    """Return the README with its tables as the code has them."""
    tables = {
        "metrics": metrics_reference(declared_metrics()),
        "configuration": configuration_reference(),
    }
    for name, table in tables.items():
        section = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text, count = section.subn(
            lambda match, table=table: f"{match[1]}\n{table}\n\n{match[2]}", text
        )
        if count != 1:
            raise ValueError(f"{README} has {count} sections for {name}")
    return text


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text()))
