"""LitServe around the pack's ONNX file in OpenVINO: its four steps, a picture as a form's file, one worker."""

import os
from typing import Any

import litserve as ls
from engines import openvino_engine
from fastapi import Request
from work import answer, prepare


class Measure(ls.LitAPI):
    """The steps of a request."""

    def setup(self, device: str) -> None:  # noqa: ARG002  the step's own signature
        """Load the network, in the worker's process."""
        self.engine = openvino_engine()

    def decode_request(self, request: Request) -> bytes:
        """Return the bytes of the picture; what comes is the form that the request was."""
        return request["picture"].file.read()

    def predict(self, data: bytes) -> dict[str, Any]:
        """Measure a picture."""
        picture, image, scale = prepare(data)
        return answer(data, picture, scale, self.engine(image))

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        """Return the answer, which is JSON already."""
        return output


if __name__ == "__main__":
    server = ls.LitServer(Measure(api_path="/measure"), accelerator="cpu")
    server.run(
        host="127.0.0.1", port=int(os.environ["PEER_PORT"]), log_level="warning", generate_client_file=False
    )
