"""Arithmetic of a network: how much one picture takes, and how fast this machine does it at its best.

Multiplications and additions count one each. Those of convolutions and matrices are counted, by PyTorch, as the network
runs: how many boxes are looked at depends on the picture.
"""

import importlib.util
import time

import numpy as np
import openvino as ov
import openvino.opset13 as opset
from numpy.typing import NDArray

from planimeter.packs.pack import Pack
from planimeter.runtimes.compiling import compile_network

EDGE = 2048
"""Side of the matrices of the peak: some 17 GFLOP, far more than what is read and written beside it."""
SECONDS = 2.0


def is_countable() -> bool:
    """Return whether PyTorch is installed, which counts."""
    return importlib.util.find_spec("torch") is not None


def gflop(pack: Pack, images: list[NDArray[np.float32]]) -> list[float]:
    """Return the billions of multiplications and additions that each picture takes in convolutions and matrices."""
    import torch  # noqa: PLC0415 - an environment that only serves has none
    from torch.utils.flop_counter import FlopCounterMode  # noqa: PLC0415

    from planimeter.runtimes.torch import TorchRuntime  # noqa: PLC0415

    network = TorchRuntime.from_pack(pack, "cpu")
    found = []
    for image in images:
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            network.run(image)
        found.append(counter.get_total_flops() / 1e9)
    return found


def peak_gflops(precision: str = "f32") -> float:
    """Return the most GFLOP a second that OpenVINO reaches here, on all cores: a product of two large matrices."""
    left, right = (opset.parameter([EDGE, EDGE], ov.Type.f32) for _ in range(2))
    model = ov.Model([opset.matmul(left, right, transpose_a=False, transpose_b=False)], [left, right], "peak")
    compiled = compile_network(
        ov.Core(), model, {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
    )
    request = compiled.create_infer_request()
    factors = {index: np.full((EDGE, EDGE), 0.5, np.float32) for index in range(2)}
    fastest = float("inf")
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        started = time.perf_counter()
        request.infer(factors, share_inputs=True)
        fastest = min(fastest, time.perf_counter() - started)
    return 2 * EDGE**3 / fastest / 1e9
