"""How OpenVINO compiles a network for the CPU."""

import numpy as np
import openvino as ov
import openvino.opset13 as opset

from planimeter.runtimes.levels import merge_levels

UNPINNED = {"ENABLE_CPU_PINNING": "NO"}
"""Where other processes have a share of the cores. By itself OpenVINO ties each thread to a core, the first of each
process to the first core: two processes of one thread were seen to share one core while the other rested."""


def compile_network(core: ov.Core, model: ov.Model, options: dict[str, str]) -> ov.CompiledModel:
    """Compile for the CPU; a second time around what OpenVINO 2026.4 was seen to stumble over.

    It takes a Slice before a GatherElements away, as YOLO26's end-to-end head has them, and then finds that shapes no
    longer fit. A maximum with the lowest number there is changes no value and keeps the two apart. Raises RuntimeError.
    """
    merge_levels(model)
    try:
        return core.compile_model(model, "CPU", options)
    except RuntimeError:
        gathers = [entry for entry in model.get_ops() if entry.get_type_name() == "GatherElements"]
        if not gathers:
            raise
    for gather in gathers:
        source = gather.input_value(0)
        if source.get_element_type() == ov.Type.f32:
            lowest = np.float32(np.finfo(np.float32).min)
            gather.input(0).replace_source_output(opset.maximum(source, lowest).output(0))
    model.validate_nodes_and_infer_types()
    return core.compile_model(model, "CPU", options)
