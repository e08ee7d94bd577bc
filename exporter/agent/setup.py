"""What setup.cfg cannot say: something about Python 2 alone."""

import sys

from setuptools import setup

options = {"packages": ["Products", "Products.ZopeExporterAgent"]}
if sys.version_info[0] == 2:
    # pip would overwrite the Products/__init__.py of Zope 2 itself, and remove it with ours.
    options["namespace_packages"] = ["Products"]
setup(**options)
