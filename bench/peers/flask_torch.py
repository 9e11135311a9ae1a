"""The way this product began: Flask's own server around the network in PyTorch, called one by one."""

import os
import threading

import torch
from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue
from work import PACK, answer, prepare

from planimeter.packs.pack import read_pack
from planimeter.runtimes.torch import TorchRuntime

app = Flask(__name__)
network = TorchRuntime.from_pack(read_pack(PACK), "cpu")
lock = threading.Lock()


@app.post("/measure")
def measure() -> ResponseReturnValue:
    """Measure the body of a request."""
    data = request.get_data()
    picture, image, scale = prepare(data)
    with lock, torch.inference_mode():
        found = network.run(image)
    masks = found.mask_values
    return jsonify(answer(data, picture, scale, (found.boxes, found.labels, found.scores, masks))), 201


if __name__ == "__main__":
    app.run("127.0.0.1", int(os.environ["PEER_PORT"]), threaded=True)
