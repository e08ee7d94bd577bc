"""`python -m zope_exporter` is `zope-exporter`."""

from .cli import main

main(prog_name="zope-exporter")
