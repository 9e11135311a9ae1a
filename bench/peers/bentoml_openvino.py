"""BentoML around the pack's ONNX file in OpenVINO: a service class, a picture as a form's file, one worker."""

import os
import sys
from pathlib import Path
from typing import Any

import bentoml
from engines import openvino_engine
from work import answer, prepare


@bentoml.service(traffic={"timeout": 300})
class Measure:
    """The service."""

    def __init__(self) -> None:
        self.engine = openvino_engine()

    @bentoml.api
    def measure(self, picture: Path) -> dict[str, Any]:
        """Measure a picture."""
        data = picture.read_bytes()
        pixels, image, scale = prepare(data)
        return answer(data, pixels, scale, self.engine(image))


if __name__ == "__main__":
    here = Path(__file__)
    os.environ["BENTOML_DO_NOT_TRACK"] = "True"
    where = ["--working-dir", str(here.parent), "--host", "127.0.0.1", "--port", os.environ["PEER_PORT"]]
    command = [sys.executable, "-m", "bentoml", "serve", f"{here.stem}:Measure", *where]
    os.execv(command[0], command)  # noqa: S606  its command line takes this process's place
