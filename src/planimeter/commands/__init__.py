"""The command line. Each command lives in the module of its name and is imported when it is asked for."""

import importlib
from typing import Any

import click

from planimeter.errors import PlanimeterError

COMMANDS = {
    "serve": "Start the service: the page and the REST API.",
    "measure": "Measure pictures, or all pictures in folders.",
    "models": "List and show the models.",
    "data": "Check labelled pictures.",
    "train": "Train a model on labelled pictures.",
    "evaluate": "Compare a model with labelled pictures.",
}
"""In the order in which a new user needs them."""
EXTRA = {"torch", "torchvision", "onnx", "safetensors", "tensorboardX"}
"""What only the `train` extra installs."""


class Commands(click.Group):
    """Finds commands by module name, so that none pays for, or fails on, what another one imports."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """Return the names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        try:
            module = importlib.import_module(f"{__name__}.{cmd_name}")
        except ModuleNotFoundError as error:
            if error.name in EXTRA:
                raise click.ClickException(
                    f"planimeter {cmd_name} needs {error.name}: run make train-extra, "
                    "or pip install '.[train]' in the clone"
                ) from error
            raise
        command = getattr(module, cmd_name)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an error that was raised on purpose becomes one sentence and exit status 1."""
        try:
            return super().invoke(ctx)
        except PlanimeterError as error:
            raise click.ClickException(str(error)) from error


@click.group(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "PLANIMETER"}
)
@click.version_option(package_name="planimeter")
def main() -> None:
    """Measure how much of a picture is covered."""
