"""Which runtime a pack runs on: what was asked for, or the best that is there."""

from importlib.util import find_spec

from planimeter.errors import InvalidPack, RuntimeUnavailable
from planimeter.packs.pack import Pack
from planimeter.runtimes import Reader, Runtime
from planimeter.runtimes.drivers import has_driver
from planimeter.settings import Inference, Precision, RuntimeName

_MISSING = {
    "torch": "the torch runtime needs PyTorch: run make train-extra, or pip install '.[train]' in the clone",
    "onnxruntime": "the onnxruntime runtime needs ONNX Runtime: pip install '.[onnxruntime]' in the clone",
}


def open_runtime(
    pack: Pack,
    reader: Reader,
    *,
    sentinel: bool = True,
    how: Inference | None = None,
) -> Runtime:
    """Return the network of `pack`, ready to run.

    `reader` reads the answers of its ONNX file, and `sentinel` says whether it never answers nothing. "auto" takes
    a GPU where one can be used: PyTorch's if the pack has PyTorch weights, else ONNX Runtime's; and on the CPU
    OpenVINO, or ONNX Runtime for a network that OpenVINO cannot load.

    A network that may answer nothing leaves tensors of no rows in the middle of its graph, for which OpenVINO was
    seen to answer one row of what happened to lie in memory. It is therefore never run there. Raises
    `RuntimeUnavailable` for what was asked for and is not there.
    """
    how = how or Inference()
    runtime, precision, infer_with_cpu = how.runtime, how.precision, how.infer_with_cpu
    if runtime in _MISSING and not find_spec(runtime):
        raise RuntimeUnavailable(_MISSING[runtime])
    chosen = runtime
    if runtime == "auto":
        chosen = _best(pack, precision, infer_with_cpu=infer_with_cpu, sentinel=sentinel)
    if chosen == "openvino" and not sentinel:
        raise RuntimeUnavailable(
            f"the network of {pack.name!r} may answer nothing at all, which OpenVINO gets wrong; ONNX Runtime runs it: "
            "pip install '.[onnxruntime]' in the clone, and --runtime auto"
        )
    exact = "f32" if precision == "auto" else precision
    if chosen == "torch":
        from planimeter.runtimes.torch import TorchRuntime, cuda_is_available  # noqa: PLC0415 - torch is optional

        device = "cuda" if cuda_is_available() and not infer_with_cpu else "cpu"
        return TorchRuntime.from_pack(pack, device, precision=exact)
    onnx = pack.file(pack.manifest.onnx)
    if chosen == "onnxruntime":
        from planimeter.runtimes.onnxruntime import OnnxRuntime  # noqa: PLC0415 - an extra

        return OnnxRuntime(onnx, precision=exact, cpu_only=infer_with_cpu, reader=reader)
    from planimeter.runtimes.openvino import OpenVinoRuntime  # noqa: PLC0415 - heavy, and a decoder never needs it

    try:
        return OpenVinoRuntime(onnx, precision=exact, reader=reader, streams=how.streams)
    except InvalidPack:
        if runtime != "auto" or exact != "f32" or not find_spec("onnxruntime"):
            raise
        from planimeter.runtimes.onnxruntime import OnnxRuntime  # noqa: PLC0415 - an extra

        return OnnxRuntime(onnx, cpu_only=infer_with_cpu, reader=reader)


def _best(pack: Pack, precision: Precision, *, infer_with_cpu: bool, sentinel: bool) -> RuntimeName:
    gpu_is_possible = not infer_with_cpu and has_driver()
    if pack.manifest.weights and gpu_is_possible and precision != "bf16" and find_spec("torch"):
        from planimeter.runtimes.torch import cuda_is_available  # noqa: PLC0415 - torch is optional

        if cuda_is_available():
            return "torch"
    if precision not in {"auto", "f32"} or not find_spec("onnxruntime"):
        return "openvino"
    if not sentinel:
        return "onnxruntime"
    if gpu_is_possible:
        from planimeter.runtimes.onnxruntime import find_gpu  # noqa: PLC0415 - an extra

        if find_gpu():
            return "onnxruntime"
    return "openvino"
