"""From a file to a checked, frozen Config, or to the list of everything wrong with it."""

import difflib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from .document import ConfigError, Document, Location, Problem, read
from .schema import Config
from .types import section_of

Model = TypeVar("Model", bound=BaseModel)

# pydantic speaks of its own types; these are for people who write YAML.
_REASONS = {
    "missing": ("is required", ""),
    "string_type": ("must be text", "put it in quotes"),
    "path_type": ("must be a path", "put it in quotes"),
    "tuple_type": ("must be a list", "start each entry with a dash"),
    "model_type": ("must hold keys with values", ""),
    "dict_type": ("must hold keys with values", ""),
    "bool_type": ("must be true or false", ""),
    "bool_parsing": ("must be true or false", ""),
    "int_type": ("must be a whole number", ""),
    "int_parsing": ("must be a whole number", ""),
}


def load_config(path: Path | None) -> Config:
    """Return the configuration of `path`, or the defaults without one.

    Raises ConfigError, which lists every problem with its line, key, reason and remedy.
    """
    return Config() if path is None else validate(Config, read(path))


def validate(model: type[Model], document: Document) -> Model:
    """Check a document against a model.

    Raises ConfigError, whose texts never contain a value of the document: it may be a secret.
    """
    data = {} if document.data is None else document.data
    try:
        return model.model_validate(data, context={"directory": document.path.absolute().parent})
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        problems = [_problem(model, document, detail) for detail in details]
        raise ConfigError(document.path, problems) from None


def _problem(model: type[BaseModel], document: Document, detail: ErrorDetails) -> Problem:
    location = detail["loc"]
    key = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    if detail["type"] == "extra_forbidden":
        reason, remedy = "unknown key", _known_keys(model, location)
    elif detail["type"] == "wrong":
        reason, remedy = detail["ctx"]["reason"], detail["ctx"]["remedy"]
    else:
        reason, remedy = _REASONS.get(detail["type"], (detail["msg"], ""))
    return Problem(document.line(location), key.removeprefix("."), reason, remedy)


def _known_keys(model: type[BaseModel], location: Location) -> str:
    *parents, key = location
    for step in parents:
        if isinstance(step, str):
            model = section_of(model.model_fields[step].annotation) or model
    known = sorted(field.alias or name for name, field in model.model_fields.items())
    close = difflib.get_close_matches(str(key), known, n=1)
    return f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"


__all__ = ["ConfigError", "load_config", "validate"]
