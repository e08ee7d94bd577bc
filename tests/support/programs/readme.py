"""README tables made from the code: `python -m tests.support.programs.readme` writes them anew."""

from pathlib import Path

from zope_exporter.app.declarations import declared_metrics, metrics_reference
from zope_exporter.cli.reference import configuration_reference, patterns_reference

README = Path(__file__).parents[3] / "README.md"


def with_tables(text: str) -> str:
    """Return the README with its tables as the code has them."""
    tables = {
        "metrics": metrics_reference(declared_metrics()),
        "patterns": patterns_reference(),
        "configuration": configuration_reference(),
    }
    for name, table in tables.items():
        before, begin, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        if not begin or not end:
            raise ValueError(f"{README} has no section for {name}")
        text = f"{before}{begin}\n{table}\n\n{end}{after}"
    return text


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text()))
