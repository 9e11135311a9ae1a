"""A whole service with the fake model, without a port: real folders, real database, real queue."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from fakes import MODEL, BlockRuntime, block_pack
from planimeter.measuring.segmenter import Segmenter
from planimeter.service.app import create_app
from planimeter.service.models import Models
from planimeter.settings import Settings
from planimeter.store import Store


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        port=0,
        model=MODEL,
        upload_folder=tmp_path / "uploads",
        output_folder=tmp_path / "outputs",
        packs_folder=tmp_path / "packs",
        database=f"sqlite:///{tmp_path / 'planimeter.db'}",
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
