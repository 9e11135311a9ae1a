"""A whole service with the fake model, without a port: real folders, real database, real queue."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

import buckets
import databases
from databases import database_url
from fakes import MODEL, BlockRuntime, block_pack
from planimeter.measuring.segmenter import Segmenter
from planimeter.service.app import create_app
from planimeter.service.models import Models
from planimeter.settings import Settings
from planimeter.store import Store


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests marked so on both databases, and with files in an object store."""
    here = metafunc.definition
    kept = []
    if here.get_closest_marker("both_databases") and not here.get_closest_marker("sqlite_alone"):
        kept += [databases.SQLITE, databases.POSTGRESQL]
    if here.get_closest_marker("objects_too") and not here.get_closest_marker("folders_alone"):
        kept = [*(kept or [databases.SQLITE]), buckets.OBJECTS]
    if kept:
        metafunc.parametrize("records_in", kept, indirect=True, scope="module")


@pytest.fixture(scope="module")
def records_in(request: pytest.FixtureRequest) -> Iterator[str]:
    """Keep the records of these tests in one of the databases, or in SQLite and their files in an object store."""
    name = getattr(request, "param", databases.SQLITE)
    in_objects = name == buckets.OBJECTS
    databases.use(databases.SQLITE if in_objects else name)
    buckets.use(buckets.OBJECTS if in_objects else buckets.FOLDERS)
    yield name
    databases.use(databases.SQLITE)
    buckets.use(buckets.FOLDERS)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown() -> Iterator[None]:
    """Drop the databases of a test after all else that it had."""
    yield
    databases.drop_all()


def pytest_sessionfinish() -> None:
    databases.end()
    buckets.end()


@pytest.fixture(autouse=True)
def _log_levels() -> Iterator[None]:
    """Give loggers their levels back: a command that serves sets them for its whole process."""
    loggers = [logging.getLogger(), *map(logging.getLogger, logging.root.manager.loggerDict)]
    before = {logger: logger.level for logger in loggers}
    yield
    for name in [*logging.root.manager.loggerDict]:
        logger = logging.getLogger(name)
        logger.setLevel(before.get(logger, logging.NOTSET))
    logging.getLogger().setLevel(before[logging.getLogger()])


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        port=0,
        model=MODEL,
        upload_folder=buckets.place(tmp_path, "uploads"),
        output_folder=buckets.place(tmp_path, "outputs"),
        packs_folder=tmp_path / "packs",
        jobs_folder=tmp_path / "jobs",
        database=database_url(tmp_path),
        threads=4,
    )


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    store = Store.open(settings.database, settings.upload_folder, settings.output_folder)
    yield store
    store.close()


@pytest.fixture
def runtime() -> BlockRuntime:
    return BlockRuntime()


@pytest.fixture
def models(settings: Settings, runtime: BlockRuntime) -> Models:
    models = Models(
        settings, find=lambda _: {MODEL: block_pack()}, load=lambda pack, _: Segmenter(pack, runtime)
    )
    models.get()
    return models


@pytest.fixture
def app(settings: Settings, store: Store, models: Models) -> Flask:
    return create_app(settings, store, models)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
