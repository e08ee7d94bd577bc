"""Writes all dashboards anew: `python -m grafana.generator`."""

from pathlib import Path

from .build import files

HERE = Path(__file__).parents[1]

for name, text in files().items():
    path = HERE / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
