"""What is attacked: a service, and the database, the object store and the cluster that it works with."""

import random
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import object_server
import postgresql_server
import ray_cluster
from running import Running

MODEL = "tiles"
"""The lightest: the store is to be hit."""
PREFIX = "attacked"


class Part(Protocol):
    """Something that can be killed and comes back."""

    name: str

    def kill(self) -> None:
        """End it without a word."""
        ...

    def start(self) -> object:
        """Have it back; returns when it is ready."""
        ...


@dataclass(frozen=True)
class Choice:
    """Where records and files are, and what measures: what each of `--database`, `--files` and `--workers` says."""

    database: str = "sqlite"
    files: str = "folders"
    workers: str = "here"
    services: int = 1
    """On the same store; clients ask any of them."""

    def missing(self) -> list[str]:
        """Return what is not installed here of what this needs."""
        wanted = {
            "PostgreSQL (initdb and postgres)": self.database == "postgresql"
            and not postgresql_server.binaries(),
            "rclone 1.65 or newer, for S3": self.files == "s3" and not object_server.program(),
            "Ray: pip install '.[ray]', on Linux": self.workers == "ray" and not ray_cluster.is_there(),
        }
        return [what for what, lacks in wanted.items() if lacks]


class System:
    """One or more services on one store, with what they work with; the data stays in one folder."""

    def __init__(self, folder: Path, choice: Choice, chance: random.Random) -> None:
        data = folder / "planimeter-data"
        self.database = f"sqlite:///{data}/planimeter.db"
        self.places = [data / "uploads", data / "outputs"]
        """Folders in which the files lie, however the service reaches them."""
        self.parts: list[Part] = []
        """All that can be killed; the services come last, and need the others to start."""
        self.by_age = choice.files == "s3"
        """Whether what a kill left is swept by its age."""
        self.where: list[str]
        """The options that say where the data is."""
        self.environment: dict[str, str] = {}
        """What has to be in the environment for that."""
        names = [str(place) for place in self.places]
        folder.mkdir()
        with ExitStack() as begun:
            if choice.database == "postgresql":
                server = postgresql_server.PostgresqlServer(chance)
                self._begin(begun, server, server.end)
                self.database = server.url
            if choice.files == "s3":
                store = object_server.ObjectServer(folder / "objects")
                self._begin(begun, store, store.kill)
                self.environment |= store.environment
                self.places = [store.bucket / PREFIX / place.name for place in self.places]
                names = [f"s3://{object_server.BUCKET}/{PREFIX}/{place.name}" for place in self.places]
            workers: list[str] = []
            if choice.workers == "ray":
                cluster = ray_cluster.RayCluster(folder / "ray", chance)
                begun.callback(cluster.end)
                cluster.start()
                self.parts += [ray_cluster.RayNode(cluster), ray_cluster.RayReplica(cluster)]
                self.environment |= cluster.environment
                workers = ["--workers=ray"]
            self.where = [
                f"--database={self.database}",
                f"--upload-folder={names[0]}",
                f"--output-folder={names[1]}",
            ]
            options = ["--model", MODEL, *self.where, *workers]
            self.services: list[Running] = []
            for number in range(1, choice.services + 1):
                home = folder / f"service-{number}"
                home.mkdir()
                self.services.append(Running(home, *options, environment=self.environment))
                self._begin(begun, self.services[-1], self.services[-1].kill)
            self._closing = begun.pop_all()

    def _begin(self, begun: ExitStack, part: Part, end: Callable[[], None]) -> None:
        begun.callback(end)
        part.start()
        self.parts.append(part)

    def end(self) -> None:
        """End all of it."""
        self._closing.close()
