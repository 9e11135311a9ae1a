"""`planimeter serve`: the service with its page and API."""

import click

from planimeter.allocator import keep_little_freed_memory
from planimeter.commands.options import options_of
from planimeter.service.ahead import start_ahead
from planimeter.service.logs import set_up
from planimeter.settings import Settings


@click.command()
@options_of(Settings, "settings")
def serve(settings: Settings) -> None:
    """Start the service: the page, the REST API, and the store behind them."""
    set_up(settings.log)
    keep_little_freed_memory()
    ahead = start_ahead(settings)
    # Three quarters of a second, in which the network is compiled beside it.
    from planimeter.commands.serving import run  # noqa: PLC0415

    run(settings, ahead)
