"""`python -m zope_exporter` is `zope-exporter`."""

from zope_exporter.cli.main import main

main(prog_name="zope-exporter")
