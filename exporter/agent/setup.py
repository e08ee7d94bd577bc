"""All but one thing is said in setup.cfg."""

import sys

from setuptools import setup

if sys.version_info[0] == 2:
    # pip would overwrite the Products/__init__.py of Zope 2 itself, and remove it with ours.
    setup(namespace_packages=["Products"])
else:
    setup()
