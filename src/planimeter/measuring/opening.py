"""From the name of a pack to a segmenter that is ready."""

from collections.abc import Callable
from pathlib import Path

from planimeter.layouts import has_sentinel, reader
from planimeter.measuring.segmenter import Segmenter
from planimeter.packs.manifest import Architecture
from planimeter.packs.pack import Pack, find_pack
from planimeter.runtimes import Runtime
from planimeter.runtimes.choice import open_runtime
from planimeter.runtimes.thorough import ThoroughRuntime
from planimeter.settings import Inference, Precision, RuntimeName


def load(
    name: str = "nuclei",
    *,
    packs_folder: Path | None = None,
    infer_with_cpu: bool = False,
    precision: Precision = "auto",
    runtime: RuntimeName = "auto",
    thorough: bool = False,
) -> Segmenter:
    """Load a model by the name of its pack, bundled or in `packs_folder`, or by the path of its folder.

    A GPU is used where PyTorch (the `train` extra) or ONNX Runtime (the `onnxruntime` extra) finds one and
    `infer_with_cpu` is false; OpenVINO on the CPU otherwise. `runtime` names one of them instead.
    `thorough` looks at each picture four times, mirrored each way, where the model has a pixel branch.
    """
    how = Inference(infer_with_cpu=infer_with_cpu, precision=precision, runtime=runtime, thorough=thorough)
    return open_segmenter(find_pack(name, packs_folder), how)


def open_segmenter(
    pack: Pack, how: Inference | None = None, around: Callable[[Runtime], Runtime] | None = None
) -> Segmenter:
    """Return the segmenter of a pack, its network loaded as `how` says; `around` returns what runs it instead."""
    how = how or Inference()
    network = open_runtime(pack, reader(pack.manifest), sentinel=has_sentinel(pack.manifest), how=how)
    network = around(network) if around else network
    architecture = pack.manifest.architecture
    if how.thorough and isinstance(architecture, Architecture) and architecture.pixel_channels:
        network = ThoroughRuntime(network)
    return Segmenter(pack, network)
