"""Command-line options made from the fields of a pydantic model, so that each option is declared once."""

import functools
from collections.abc import Callable
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import click
from click.core import ParameterSource
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from planimeter.settings import Settings
from planimeter.store.object_urls import is_url

Result = TypeVar("Result")


def options_of(
    kind: type[BaseModel], argument: str, *, only: tuple[str, ...] = ()
) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Return a decorator that gives a command one option for each field of `kind`, or for those in `only`.

    The option has the name of the field with dashes, its default and its description. The command receives
    the validated model as `argument`; a value outside its limits is a usage error that names the option.
    A setting has the environment variable `PLANIMETER_<NAME>` in every command; options that belong to one
    command have `PLANIMETER_<COMMAND>_<NAME>`, which click makes.
    """
    names = only or tuple(kind.model_fields)

    def decorate(command: Callable[..., Result]) -> Callable[..., Result]:
        @functools.wraps(command)
        def run(*given: Any, **values: Any) -> Result:
            model = _make(kind, {name: values.pop(name) for name in names})
            return command(*given, **values, **{argument: model})

        decorated: Callable[..., Result] = run
        for name in reversed(names):
            decorated = _option(name, kind.model_fields[name])(decorated)
        return decorated

    return decorate


report_pictures = click.option(
    "--pictures/--no-pictures",
    default=True,
    show_default=True,
    help="Show the best and the worst pictures in the report; leave them out where they must not be shared.",
)
"""Of every command that writes a report."""


def is_given(name: str) -> bool:
    """Return whether an option stands in the command itself: the environment has defaults, as a profile has."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def flag(name: str) -> str:
    """Return the option of a field."""
    return f"--{name.replace('_', '-')}"


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return f"PLANIMETER_{name.upper()}"


def _make(kind: type[BaseModel], values: dict[str, Any]) -> BaseModel:
    try:
        return kind(**values)
    except ValidationError as error:
        problem = error.errors()[0]
        reason = problem["msg"].removeprefix("Value error, ").replace("Input", "it", 1)
        if not problem["loc"]:  # options that are each possible, but not together
            raise click.UsageError(reason) from None
        raise click.BadParameter(
            f"{problem['input']!r}: {reason}",
            param_hint=flag(str(problem["loc"][0])),
        ) from None


def _option(name: str, field: FieldInfo) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    many = get_origin(field.annotation) is tuple
    open_ended = field.annotation == (bool | None)
    is_flag = field.annotation is bool or open_ended
    off = flag(f"no_{name}")
    return click.option(
        f"{flag(name)}/{off}" if is_flag and (field.default or open_ended) else flag(name),
        name,
        type=None if is_flag else _parameter_type(field.annotation),
        is_flag=is_flag,
        multiple=many,
        default=field.default,
        show_default=field.default is not False and field.default not in {None, "", ()},
        envvar=variable(name) if name in Settings.model_fields else None,
        show_envvar=True,
        help=field.description,
    )


class _FolderOrUrl(click.Path):
    """A path, or the URL of a place elsewhere, which is left as it is."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Make a path of what is none but a URL."""
        return value if isinstance(value, str) and is_url(value) else super().convert(value, param, ctx)


class FolderHere(click.Path):
    """A folder of this machine."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, file_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse a URL, of which a folder of a strange name would be made."""
        if isinstance(value, str) and is_url(value):
            self.fail(
                "a folder of this machine is wanted; planimeter serve keeps files by such URLs", param, ctx
            )
        return super().convert(value, param, ctx)


def _parameter_type(annotation: Any) -> Any:
    if get_origin(annotation) in {Union, UnionType} and {*get_args(annotation)} - {NoneType} == {Path, str}:
        return _FolderOrUrl(path_type=Path)
    if get_origin(annotation) in {Union, UnionType}:
        annotation = next(kind for kind in get_args(annotation) if kind is not type(None))
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) is tuple:
        return str
    if get_origin(annotation) is Literal:
        return click.Choice([str(choice) for choice in get_args(annotation)])
    return click.Path(path_type=Path) if annotation is Path else annotation
