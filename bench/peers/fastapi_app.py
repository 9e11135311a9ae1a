"""What a developer writes in an hour today: FastAPI and uvicorn around a network."""

import os
from typing import Any

import uvicorn
from engines import Engine
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from work import answer, prepare


def serve(engine: Engine) -> None:
    """Serve it until the end."""
    app = FastAPI()

    def run(data: bytes) -> dict[str, Any]:
        picture, image, scale = prepare(data)
        return answer(data, picture, scale, engine(image))

    @app.post("/measure", status_code=201)
    async def measure(request: Request) -> dict[str, Any]:
        return await run_in_threadpool(run, await request.body())

    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PEER_PORT"]), log_level="warning")
