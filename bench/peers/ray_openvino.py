"""Ray Serve around the pack's ONNX file in OpenVINO: one replica, which takes the body of a request."""

import asyncio
import os
import signal
import sys
from typing import Any

import ray
from engines import openvino_engine
from ray import serve
from starlette.requests import Request
from starlette.responses import JSONResponse
from work import answer, prepare


@serve.deployment(num_replicas=1)
class Measure:
    """The deployment."""

    def __init__(self) -> None:
        self.engine = openvino_engine()

    async def __call__(self, request: Request) -> JSONResponse:
        """Measure the body of a request."""
        data = await request.body()
        return JSONResponse(await asyncio.to_thread(self.measure, data), status_code=201)

    def measure(self, data: bytes) -> dict[str, Any]:
        """Measure the bytes of a picture."""
        picture, image, scale = prepare(data)
        return answer(data, picture, scale, self.engine(image))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    ray.init(include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        serve.start(http_options={"host": "127.0.0.1", "port": int(os.environ["PEER_PORT"])})
        serve.run(Measure.bind(), route_prefix="/measure", blocking=True)
    finally:
        ray.shutdown()
