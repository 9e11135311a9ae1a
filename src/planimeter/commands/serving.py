"""A service from its start to its end: its store, its models, its server, and what works beside it."""

import gc
import os
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack

from rich.console import Console
from rich.markup import escape

from planimeter.cluster.connection import Cluster
from planimeter.cluster.deployment import Workers, deployed
from planimeter.outputs.receiver import Receiver
from planimeter.outputs.receivers import receivers_of
from planimeter.outputs.sending import Sending
from planimeter.service.access import refuse_without_keys
from planimeter.service.ahead import Ahead
from planimeter.service.app import create_app
from planimeter.service.context import EXTENSION, Context
from planimeter.service.housekeeping import Housekeeper
from planimeter.service.label_studio.pictures import label_studio_of
from planimeter.service.models import Models
from planimeter.service.server import Server, address_of, bind
from planimeter.service.taking_over import settle
from planimeter.service.tracing import from_environment
from planimeter.service.tunnel import open_tunnel
from planimeter.service.workers import models_on
from planimeter.settings import Inference, Settings
from planimeter.store import Store
from planimeter.store.places import shown


def run(settings: Settings, ahead: Ahead) -> None:
    """Serve until SIGINT or SIGTERM. The port is taken first, before anything in the store is touched."""
    console = Console(soft_wrap=True, highlight=False)
    models = ahead.models
    receivers = receivers_of(settings, os.environ)
    label_studio_of(settings, os.environ)  # what is wrong with it is said now
    with ExitStack() as closing:
        listening = bind(settings.host, settings.port)
        closing.callback(listening.close)
        store = Store.open(
            settings.database, settings.upload_folder, settings.output_folder, begin_anew=settings.begin_anew
        )
        closing.callback(store.close)
        tracing = from_environment()
        closing.callback(tracing.stop)
        refuse_without_keys(settings, store.keys.list())
        settle(store.model_changes, settings.packs_folder)
        tunnel = None
        if settings.use_ngrok:
            local = address_of(listening).removeprefix("http://")
            host, _, port = local.rpartition(":")
            tunnel = open_tunnel(host, int(port))
            closing.callback(tunnel.close)
        workers = None
        if settings.workers == "ray":
            console.print("Starting the workers …")
            workers = closing.enter_context(workers_of(settings, listening.getsockname()[1]))
            models = models_on(workers, settings)
        console.print(f"Loading the model {escape(models.default)} …")
        models.get()
        ahead.decoder.result()
        app = create_app(settings, store, models)
        app.extensions[EXTENSION].public_url = tunnel and tunnel.url
        app.extensions[EXTENSION].tracing = tracing
        if workers is not None:
            app.extensions[EXTENSION].metrics.watch_workers(workers.measured)
        work_beside(app.extensions[EXTENSION], receivers, closing)
        server = Server(app, settings, listening)
        stop_on_signals(server)
        told = [receiver.name for receiver in receivers]
        cluster = None if workers is None else workers.cluster
        announce(
            console, settings, models, address_of(listening), tunnel.url if tunnel else None, told, cluster
        )
        gc.freeze()  # what is there by now stays, and need not be looked through again and again
        server.run()
        console.print("Stopped.")
    if not server.idle:
        # A thread is still in the network or in a decoder: taken apart under it, the process would abort.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def workers_of(settings: Settings, port: int) -> AbstractContextManager[Workers]:
    """Return the deployment that measures for the service at a port, in place of its own process."""
    how = Inference(**settings.model_dump(include={*Inference.model_fields}))
    return deployed(how, f"planimeter-{socket.gethostname()}-{port}", settings.queue_size)


def work_beside(parts: Context, receivers: Sequence[Receiver], closing: ExitStack) -> None:
    """Start what a service does beside its requests: it keeps house, trains, and tells of measurements."""
    sending = Sending(parts.store.outbox, receivers, parts.metrics)
    for work in (Housekeeper(parts), parts.jobs, sending):
        work.start()
        closing.callback(work.stop)


def stop_on_signals(server: Server) -> None:
    """Stop cleanly on the first SIGINT or SIGTERM, and at once on the second."""

    def stop(number: int, _: object) -> None:
        for kind in (signal.SIGINT, signal.SIGTERM):
            signal.signal(kind, lambda *_: sys.exit(128 + number))
        server.stop()

    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, stop)


def announce(
    console: Console,
    settings: Settings,
    models: Models,
    url: str,
    public_url: str | None,
    told: Sequence[str] = (),
    cluster: Cluster | None = None,
) -> None:
    """Print where the service is, what it measures with, where things go, who is told, and a first request to copy."""
    info = models.get().info
    page = "" if cluster is None or cluster.dashboard is None else f", whose own page is {cluster.dashboard}"
    lines = {
        "Page": url,
        "Public": public_url,
        "Model": f"{info.name} {info.version}, {info.runtime} {info.precision} on {info.device}",
        "Workers": cluster and f"Ray on {cluster.address}{page}",
        "Uploads": shown(settings.upload_folder),
        "Outputs": shown(settings.output_folder),
        "Tells": ", ".join(told),
        "Try": f"curl -F image=@picture.png {public_url or url}/api/v1/measurements",
    }
    console.print("[bold]Planimeter[/] is ready; Ctrl+C stops it.")
    for name, value in lines.items():
        if value:
            console.print(f"  [bold]{name:<8}[/] {escape(str(value))}")
