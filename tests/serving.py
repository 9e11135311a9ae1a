"""A service with a fake model on a real port, in this process: quick to start, and all in its hands is known."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fakes import MODEL, DotRuntime, dot_pack
from planimeter.measuring.segmenter import Segmenter
from planimeter.packs.pack import Pack
from planimeter.runtimes import Runtime
from planimeter.service.app import create_app
from planimeter.service.models import Models
from planimeter.service.server import Server, address_of, bind
from planimeter.settings import Settings
from planimeter.store import Store


@contextmanager
def serve(
    folder: Path, runtime: Runtime | None = None, pack: Pack | None = None, **more: Any
) -> Iterator[str]:
    """Serve with the data in `folder`; yields the address, which ends with a slash."""
    settings = Settings(
        port=0,
        model=MODEL,
        upload_folder=folder / "uploads",
        output_folder=folder / "outputs",
        packs_folder=folder / "packs",
        jobs_folder=folder / "jobs",
        database=f"sqlite:///{folder / 'planimeter.db'}",
        **more,
    )
    network = runtime or DotRuntime()
    models = Models(
        settings, find=lambda _: {MODEL: pack or dot_pack()}, load=lambda pack, _: Segmenter(pack, network)
    )
    models.get()
    store = Store.open(settings.database, settings.upload_folder, settings.output_folder)
    listening = bind(settings.host, 0)
    server = Server(create_app(settings, store, models), settings, listening)
    serving = threading.Thread(target=server.run)
    serving.start()
    try:
        yield f"{address_of(listening)}/"
    finally:
        server.stop()
        serving.join()
        store.close()
