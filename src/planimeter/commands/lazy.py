"""A group of commands that live in a module each, and are imported when they are asked for."""

import importlib
from collections.abc import Mapping
from typing import Any

import click

EXTRA = {"torch", "torchvision", "onnx", "safetensors", "scipy", "tensorboardX"}
"""What only the `train` extra installs."""


class Commands(click.Group):
    """Finds commands by module name, so that none pays for, or fails on, what another one imports.

    `modules` says in one line what each command does; the module `package`.<name> holds the command, under the
    name that `attribute` makes of it.
    """

    def __init__(
        self, *args: Any, package: str, modules: Mapping[str, str], attribute: str = "{}", **attributes: Any
    ) -> None:
        super().__init__(*args, **attributes)
        self._attribute = attribute
        self._package = package
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """Return the names of all commands."""
        return list(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in self._modules:
            return None
        module = needed(f"{self._package}.{cmd_name}", f"planimeter {_path(ctx)}{cmd_name}")
        command = getattr(module, self._attribute.format(cmd_name))
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._modules.items()))


def needed(name: str, command: str = "") -> Any:
    """Import a module for a command, the one that runs unless named; says what to install where that is missing."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in EXTRA:
            raise
        asked = command or click.get_current_context().command_path
        raise click.ClickException(
            f"{asked} needs {error.name}: run make train-extra, or pip install '.[train]' in the clone"
        ) from error


def _path(ctx: click.Context) -> str:
    """Return the commands between the program and this one."""
    return "".join(f"{word} " for word in ctx.command_path.split()[1:])
