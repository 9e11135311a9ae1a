"""The command line. Each command lives in the module of its name and is imported when it is asked for."""

from typing import Any

import click

from planimeter.commands.lazy import Commands
from planimeter.errors import PlanimeterError

COMMANDS = {
    "serve": "Start the service: the page and the REST API.",
    "measure": "Measure pictures, or all pictures in folders.",
    "watch": "Have the pictures that appear in a folder measured by a running service.",
    "export": "Write measurements of a service to a file for another program.",
    "history": "Take tables of measurements that were made elsewhere into the history of a service.",
    "corrections": "Bring back what people corrected of measurements in another program.",
    "models": "List, show, import and export models.",
    "data": "Check labelled pictures.",
    "train": "Train a model on labelled pictures.",
    "profiles": "Add, list, show and remove profiles of a service: how its stations measure.",
    "keys": "Make, list and revoke keys for a service that others reach.",
    "audit": "Export or verify the audit trail: who changed what, and when.",
    "migrate": "Move what is stored to another database and other folders.",
    "doctor": "Look for damage in what is stored.",
    "evaluate": "Compare a model with labelled pictures.",
}
"""In the order in which a new user needs them."""


class Main(Commands):
    """The root of all commands."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an error that was raised on purpose becomes one sentence and exit status 1."""
        try:
            return super().invoke(ctx)
        except PlanimeterError as error:
            raise click.ClickException(str(error)) from error


@click.group(
    cls=Main,
    package=__name__,
    modules=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "PLANIMETER"},
)
@click.version_option(package_name="planimeter")
def main() -> None:
    """Measure how much of a picture is covered."""
