"""What is installed in each environment, all of it in exact versions."""

import sys
from dataclasses import dataclass
from pathlib import Path

RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True)
class Recipe:
    name: str
    pythons: tuple[str, ...]  # the best first
    zope: str  # the distribution in whose source `constraints` is the list of what goes with it
    constraints: str
    requirements: tuple[str, ...]


# Plone's core, and in which versions what it takes beyond Zope's own list.
_PLONE = tuple(Path(__file__).with_name("plone6.txt").read_text().split())
_ZOPE5 = "Zope==5.14.2"
_ZOPE5_PYTHONS = ("3.11", "3.12", "3.13", "3.10")

# Those that take long come first: they are begun in this order, several at a time.
RECIPES = (
    Recipe(
        name="zope213",
        pythons=("2.7",),
        zope="Zope2==2.13.30",
        constraints="requirements.txt",
        requirements=("Zope2==2.13.30",),
    ),
    Recipe(
        name="zope48",
        pythons=("3.8", "3.9", "3.10", "3.7", "3.6"),
        zope="Zope==4.8.11",
        constraints="constraints.txt",
        requirements=(
            "Zope[wsgi]==4.8.11",
            "ZEO==5.3.0",
            "Products.ExternalMethod==4.7",
            "Products.PythonScripts==4.15",
            "Products.SiteErrorLog==5.7",
        ),
    ),
    Recipe(
        name="plone6",
        pythons=(RUNNING,),
        zope="Zope==6.3",
        constraints="constraints.txt",
        requirements=("Zope[wsgi]==6.3", *_PLONE),
    ),
    Recipe(
        name="zope63",
        pythons=(RUNNING,),
        zope="Zope==6.3",
        constraints="constraints.txt",
        requirements=(
            "Zope[wsgi]==6.3",
            "ZEO==6.2",
            "Products.ExternalMethod==6.1",
            "Products.PythonScripts==5.3.1",
            "Products.SiteErrorLog==7.0",
        ),
    ),
    Recipe(
        name="zope5",
        pythons=_ZOPE5_PYTHONS,
        zope=_ZOPE5,
        constraints="constraints.txt",
        requirements=(
            "Zope[wsgi]==5.14.2",
            "ZEO==6.2",
            "Products.ExternalMethod==5.0",
            "Products.PythonScripts==5.2",
            "Products.SiteErrorLog==6.0",
        ),
    ),
    Recipe(
        name="buildout",
        pythons=_ZOPE5_PYTHONS,
        zope=_ZOPE5,
        constraints="constraints.txt",
        requirements=(
            "Zope[wsgi]==5.14.2",
            "ZEO==6.2",
            "plone.recipe.zeoserver==4.0.1",
            "plone.recipe.zope2instance==9.1.0",
            "python-dotenv==1.2.1",
            "setuptools==80.9.0",  # the last with a silent pkg_resources, which bin/instance asks
            "tempstorage==6.0",
            "zc.buildout==4.2.0",
            "ZopeUndo==6.1",
        ),
    ),
    # Zope behind other servers of WSGI applications than waitress.
    Recipe(
        name="servers",
        pythons=(RUNNING,),
        zope="Zope==6.3",
        constraints="constraints.txt",
        requirements=(
            "Zope[wsgi]==6.3",
            "ZEO==6.2",
            "Products.ExternalMethod==6.1",
            "a2wsgi==1.10.10",
            "gunicorn==23.0.0",
            "setproctitle==1.3.6",
            "uvicorn==0.35.0",
        ),
    ),
    Recipe(
        name="relstorage",
        pythons=(RUNNING,),
        zope="Zope==6.3",
        constraints="constraints.txt",
        requirements=(
            "Zope[wsgi]==6.3",
            "Products.ExternalMethod==6.1",
            "psycopg2-binary==2.9.11",
            "RelStorage==4.3.0",
        ),
    ),
    # Only what reads and writes a Data.fs.
    Recipe(
        name="zodb5",
        pythons=_ZOPE5_PYTHONS,
        zope="Zope==5.10",
        constraints="constraints.txt",
        requirements=("ZODB==5.8.1",),
    ),
    Recipe(
        name="zodb6",
        pythons=(RUNNING,),
        zope="Zope==6.3",
        constraints="constraints.txt",
        requirements=("ZODB==6.4",),
    ),
)
