"""Settings of one process: one TOML file, each key of which an environment variable can override.

The models are pydantic models derived from `Settings`. A key `peers.port` of the process whose prefix is
``XACBE_GATEWAY`` is overridden by ``XACBE_GATEWAY__PEERS__PORT``; lists and tables are given as JSON there. Unknown
keys are refused by name, in the file and in the environment, because a misspelt key would otherwise silently leave a
default in force.
"""

import difflib
import json
import os
import tomllib
import types
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, ValidationInfo

from service_runtime.errors import SettingsError

_FOLDER = "settings_folder"
_SQLITE_FILE = "sqlite:///"


class Settings(BaseModel):
    """Base of every settings model and section: unknown keys refused, unchangeable, no infinite or NaN numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True)


def _resolve_path(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str | Path) or not str(value):
        return value
    folder: Path = (info.context or {}).get(_FOLDER, Path())
    return folder / Path(value).expanduser()


def _resolve_database_url(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str) or not value.startswith(_SQLITE_FILE):
        return value
    path, question_mark, options = value.removeprefix(_SQLITE_FILE).partition("?")
    if path in ("", ":memory:"):
        return value
    return f"{_SQLITE_FILE}{_resolve_path(path, info)}{question_mark}{options}"


SettingsPath = Annotated[Path, BeforeValidator(_resolve_path)]
"""A path that is relative to the folder of the settings file (also when an environment variable gives it)."""

DatabaseUrl = Annotated[str, BeforeValidator(_resolve_database_url)]
"""An SQLAlchemy database URL; the relative path in a ``sqlite:///`` one is relative to the settings file's folder."""

M = TypeVar("M", bound=BaseModel)


def load_settings(model: type[M], path: Path | None, *, prefix: str, environ: Mapping[str, str] = os.environ) -> M:
    """Read the TOML file at `path`, lay the variables ``<prefix>__SECTION__KEY`` over it and validate the result.

    `prefix` is for example ``XACBE_GATEWAY``. Without a file, relative paths are relative to the working folder.
    Raises SettingsError ``settings-file-missing``, ``settings-file-unreadable``, ``settings-file-malformed`` or
    ``settings-invalid``; the last names every key at fault, where it stands and what is wrong with it, never its value.
    """
    values = {} if path is None else _read_toml(path)
    folder = Path.cwd() if path is None else path.absolute().parent
    problems: list[str] = []
    variables: dict[tuple[str, ...], str] = {}
    for name in sorted(environ):
        if name.startswith(f"{prefix}__"):
            keys = tuple(name.removeprefix(f"{prefix}__").lower().split("__"))
            try:
                _lay_over(values, keys, _parse_variable(model, keys, environ[name]))
            except ValueError as error:
                problems.append(f"variable {name}: {error}")
            else:
                variables[keys] = name
    if not problems:
        try:
            return model.model_validate(values, context={_FOLDER: folder})
        except ValidationError as error:
            problems = [_describe(problem, model, path, variables) for problem in error.errors(include_url=False)]
    raise SettingsError(
        "settings-invalid",
        "The settings cannot be used:\n" + "\n".join(f"  {problem}" for problem in problems) + "\n",
        "Correct them and start again.",
    )


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            "settings-file-missing", f"There is no settings file {path}.", "Name it with --config."
        ) from None
    except OSError as error:
        raise SettingsError(
            "settings-file-unreadable", f"The settings file {path} cannot be read: {error.strerror}."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            "settings-file-malformed", f"The settings file {path} is not TOML: {error}.", "Correct that place."
        ) from error


def _parse_variable(model: type[BaseModel], keys: tuple[str, ...], text: str) -> object:
    annotation: Any = model
    for depth, key in enumerate(keys):
        annotation = _step_into(annotation, key, ".".join(keys[: depth + 1]))
    if not any(_holds_several(candidate) for candidate in _alternatives(annotation)):
        return text
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError('a list or table must be given as JSON, for example ["a", "b"]') from None


def _step_into(annotation: Any, key: str, name: str) -> Any:
    known: list[str] = []
    for candidate in _alternatives(annotation):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            if key in candidate.model_fields:
                field = candidate.model_fields[key]
                return field.annotation
            known.extend(candidate.model_fields)
        elif get_origin(candidate) is dict:
            return get_args(candidate)[1]
    raise ValueError(f"there is no setting {name}{_suggestion(key, known)}")


def _alternatives(annotation: Any) -> list[Any]:
    """The members of a union, with Annotated wrappers taken off."""
    if get_origin(annotation) is Annotated:
        return _alternatives(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [found for member in get_args(annotation) for found in _alternatives(member)]
    return [annotation]


def _holds_several(annotation: Any) -> bool:
    plain = get_origin(annotation) or annotation
    return isinstance(plain, type) and issubclass(plain, list | tuple | set | frozenset | dict | BaseModel)


def _lay_over(values: dict[str, Any], keys: tuple[str, ...], value: object) -> None:
    for depth, key in enumerate(keys[:-1]):
        below = values.setdefault(key, {})
        if not isinstance(below, dict):
            raise ValueError(f"{'.'.join(keys[: depth + 1])} is not a table in the settings file")
        values = below
    values[keys[-1]] = value


def _describe(
    problem: Mapping[str, Any], model: type[BaseModel], path: Path | None, variables: Mapping[tuple[str, ...], str]
) -> str:
    location = tuple(str(piece) for piece in problem["loc"])
    source = str(path) if path is not None else "settings"
    for keys, name in variables.items():
        if location[: len(keys)] == keys:
            source = f"variable {name}"
    key = ".".join(location)
    if problem["type"] == "extra_forbidden":
        return f"{source}: {key}: unknown key{_suggestion(location[-1], _keys_beside(model, location))}"
    if problem["type"] == "missing":
        return f"{source}: {key}: missing"
    # pydantic's own message describes the rule, not the value, so that no secret reaches a terminal or a log.
    return f"{source}: {key}: {problem['msg']}" if key else f"{source}: {problem['msg']}"


def _keys_beside(model: type[BaseModel], location: tuple[str, ...]) -> list[str]:
    annotation: Any = model
    for piece in location[:-1]:
        if piece.isdigit():
            annotation = next((get_args(each)[0] for each in _alternatives(annotation) if get_args(each)), None)
            continue
        try:
            annotation = _step_into(annotation, piece, piece)
        except ValueError:
            return []
    models = (each for each in _alternatives(annotation) if isinstance(each, type) and issubclass(each, BaseModel))
    return [name for each in models for name in each.model_fields]


def _suggestion(key: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(key, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""
