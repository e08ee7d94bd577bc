"""What is published gets a name that its code has, and is not loaded for that."""

from collections.abc import Callable
from typing import Any

import pytest
import transaction
import ZODB
from persistent import Persistent
from Products.ZopeExporterAgent.views import MOST, ViewNames

HERE = __name__


class Document(Persistent):  # type: ignore[misc]  # has no types
    """Content: its id is no name of a view."""

    def __init__(self) -> None:
        self.id = self.__name__ = "report-2026"

    def edit(self) -> None:
        pass


class Script(Persistent):  # type: ignore[misc]  # has no types
    """As those of Products.PythonScripts, whose module the test gives it."""

    __module__ = "Products.PythonScripts.PythonScript"

    def __init__(self) -> None:
        self.id = "search"

    def __call__(self) -> None:
        pass


class OwnScript(Script):
    """Of a product that builds on them."""


class Listing:
    def __call__(self) -> None:
        pass

    def save(self) -> None:
        pass


class Named(Listing):
    def __init__(self) -> None:
        self.__name__ = "listing"


class Slotted:
    __slots__ = ()


def made(name: str, *bases: type) -> Any:
    """As Products.Five makes a class for a page of ZCML; the type checker knows none of it."""
    module = "Products.Five.browser.metaconfigure"
    return type(name, bases, {"__module__": module, "__name__": "page.html"})()


Mixin = type("ViewMixin", (), {"__module__": "Products.Five.browser.metaconfigure"})


@pytest.mark.parametrize(
    ("published", "name"),
    [
        (Document(), f"{HERE}.Document"),
        (Document().edit, f"{HERE}.Document/edit"),
        (Script(), "Products.PythonScripts.PythonScript.Script/search"),
        (OwnScript().__call__, f"{HERE}.OwnScript/search"),
        (Listing(), f"{HERE}.Listing"),
        (Listing().save, f"{HERE}.Listing/save"),
        (Named(), f"{HERE}.Named/listing"),
        (made("Listing", Listing, Mixin), f"{HERE}.Listing/page.html"),
        (made("Listing", Listing, Mixin).__call__, f"{HERE}.Listing/page.html"),
        (made("Listing", Listing, Mixin).save, f"{HERE}.Listing/page.html/save"),
        (made("SimpleViewClass from /a/b.pt", Listing, Mixin), f"{HERE}.Listing/page.html"),
        (
            made("SimpleViewClass from /a/b.pt", Mixin),
            "Products.Five.browser.metaconfigure.SimpleViewClass/page.html",
        ),
        (Slotted(), f"{HERE}.Slotted"),
        (len, "builtins.builtin_function_or_method"),
    ],
)
def test_the_name_is_that_of_a_class_and_a_view(published: object, name: str) -> None:
    names = ViewNames(lambda wrapped: wrapped)
    assert [names(published), names(published)] == [name, name]


@pytest.mark.parametrize("kind", [Document, OwnScript])
def test_what_is_not_loaded_stays_so(kind: Callable[[], Persistent]) -> None:
    database = ZODB.DB(None)
    with database.transaction() as connection:
        connection.root()["it"] = kind()
    connection = database.open(transaction.TransactionManager())
    connection.cacheMinimize()
    published: Any = connection.root()["it"]
    assert ViewNames(lambda wrapped: wrapped)(published).endswith(kind.__name__)
    assert published._p_changed is None
    database.close()


def test_it_remembers_no_more_than_so_many_classes() -> None:
    names = ViewNames(lambda wrapped: wrapped)
    for number in range(2 * MOST + 5):
        assert names(type(f"Class{number}", (), {})()) == f"{HERE}.Class{number}"
    assert len(names._known) <= MOST
