"""How OpenVINO puts what was pooled from several levels of a pyramid back into the order of the boxes.

torchvision exports it as four writes into an array of zeros: each level's rows [K, C, S, S] are scattered along the
boxes, with an index as large as the rows themselves. One look-up gives the same array for a fraction of the work, and
stays a look-up where the numbers are of fewer bits.
"""

import numpy as np
import openvino as ov
import openvino.opset13 as opset

_PASSED = {"Squeeze", "Split", "VariadicSplit", "Transpose", "Convert"}
"""What lies between an index and the `NonZero` that it comes from."""


def merge_levels(model: ov.Model) -> int:
    """Replace each such chain of writes in `model`; returns how many there were.

    The answer is the same to the bit. Rows that no level claims stay zero, as they were. A chain that looks any
    different is left alone.
    """
    merged = 0
    for last in model.get_ops():
        if not _is_write(last) or any(_is_write(entry.get_node()) for entry in _readers(last)):
            continue
        writes = _chain(last)
        if writes is None:
            continue
        levels, numbers, rows = writes
        looked_up = _look_up(levels, numbers, rows)
        looked_up.set_friendly_name(f"{last.get_friendly_name()}/merged")
        for entry in _readers(last):
            entry.replace_source_output(looked_up.output(0))
        merged += 1
    if merged:
        model.validate_nodes_and_infer_types()
    return merged


def _look_up(levels: ov.Output, numbers: list[ov.Output], rows: list[ov.Output]) -> ov.Node:
    """Return the rows of all levels behind each other, read in the order of the boxes."""
    order = opset.convert(opset.concat(numbers, 0), "i64")
    pooled = opset.shape_of(order, output_type="i64")
    places = opset.range(np.int64(0), opset.squeeze(pooled, np.array([0])), np.int64(1), "i64")
    # Behind the last row lies one of zeros, for boxes of no level: OpenVINO was seen to read a place that is not
    # there from memory of earlier pictures. It also keeps all rows together from being none.
    nowhere = opset.broadcast(pooled, opset.shape_of(levels, output_type="i64"))
    place = opset.scatter_elements_update(nowhere, order, places, np.int64(0))
    nothing = np.zeros((1, *_row_shape(rows[0])), rows[0].get_element_type().to_dtype())
    return opset.gather(opset.concat([*rows, opset.constant(nothing)], 0), place, np.int64(0))


def _chain(last: ov.Node) -> tuple[ov.Output, list[ov.Output], list[ov.Output]] | None:
    """Return which level each box belongs to, and of each level the numbers of its boxes and their rows."""
    found: list[tuple[ov.Output, int, ov.Output, ov.Output]] = []
    node = last
    while _is_write(node):
        index, rows = _index(node.input_value(1)), node.input_value(2)
        level = None if index is None else _level(index)
        axis = _constant(node.input_value(3))
        if index is None or level is None or axis != 0 or not _is_pooled(rows) or not _row_shape(rows):
            return None
        found.insert(0, (*level, index, rows))
        node = node.input_value(0).get_node()
    filled = node.get_type_name() == "Broadcast" and _constant(node.input_value(0)) == 0
    sources = {_key(levels) for levels, _, _, _ in found}
    # Of one array of levels and different numbers: so no box is written twice.
    if not filled or len(sources) != 1 or len({number for _, number, _, _ in found}) < len(found):
        return None
    return found[0][0], [index for _, _, index, _ in found], [rows for _, _, _, rows in found]


def _is_write(node: ov.Node) -> bool:
    return bool(node.get_type_name() == "ScatterElementsUpdate")


def _readers(node: ov.Node) -> list[ov.Input]:
    return list(node.output(0).get_target_inputs())


def _index(expanded: ov.Output) -> ov.Output | None:
    """Return the index [K] that was repeated for each value of a row, where it is one."""
    node = expanded.get_node()
    if node.get_type_name() != "Broadcast":
        return None
    column = node.input_value(0).get_node()
    if column.get_type_name() != "Reshape":
        return None
    index: ov.Output = column.input_value(0)
    rank = index.get_partial_shape().rank
    return index if rank.is_static and rank.get_length() == 1 else None


def _level(index: ov.Output) -> tuple[ov.Output, int] | None:
    """Return the levels of all boxes, and the one that `index` has the boxes of: `nonzero(levels == number)`."""
    node = index.get_node()
    while node.get_type_name() in _PASSED:
        node = node.input_value(0).get_node()
    if node.get_type_name() != "NonZero":
        return None
    equal = node.input_value(0).get_node()
    while equal.get_type_name() == "Convert":
        equal = equal.input_value(0).get_node()
    if equal.get_type_name() != "Equal":
        return None
    one, other = equal.input_value(0), equal.input_value(1)
    for levels, value in ((one, _constant(other)), (other, _constant(one))):
        rank = levels.get_partial_shape().rank
        if value is not None and rank.is_static and rank.get_length() == 1:
            return levels, int(value)
    return None


def _is_pooled(rows: ov.Output) -> bool:
    node = rows.get_node()
    while node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    return bool(node.get_type_name() == "ROIAlign")


def _row_shape(rows: ov.Output) -> tuple[int, ...]:
    """Return the shape of one row, C x S x S; empty where it is not known beforehand."""
    shape = rows.get_partial_shape()
    if shape.rank.is_dynamic or any(side.is_dynamic for side in list(shape)[1:]):
        return ()
    return tuple(side.get_length() for side in list(shape)[1:])


def _key(output: ov.Output) -> tuple[str, int]:
    return output.get_node().get_friendly_name(), output.get_index()


def _constant(output: ov.Output) -> float | None:
    """Return the value of a constant that has one value."""
    node = output.get_node()
    while node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    if node.get_type_name() != "Constant" or node.get_output_size() != 1:
        return None
    data = node.get_data()
    return float(data.reshape(-1)[0]) if data.size == 1 else None
