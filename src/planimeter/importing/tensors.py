"""Tensors of checkpoints, read without executing anything, and put where a network wants them."""

import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from planimeter.errors import ImportRefused
from planimeter.reading import refuse_irregular

_NAMED = 5
_ZIP = b"PK\x03\x04"
_TORCH_MAGIC = (0x1950A86A20F9469CFC6C).to_bytes(10, "little")
"""Near the start of what PyTorch wrote before 1.6: a pickle that only PyTorch reads."""


class _ArrayMarker:
    """Stands for numpy.ndarray in a pickle: only its name is needed, never a call of it."""


def _new_array(kind: object, shape: object, _: object) -> NDArray[Any]:
    """Stand for NumPy's `_reconstruct`: the empty array whose content follows. Nothing else can be asked for."""
    if kind is not _ArrayMarker or shape != (0,):
        raise pickle.UnpicklingError("an array is built in an unusual way")
    return np.empty(0, np.int8)


def _number_type(name: object, *_: object) -> "np.dtype[Any]":
    """Stand for `numpy.dtype`, for numbers only: an array of objects could hold anything."""
    found = np.dtype(name) if isinstance(name, str) and len(name) < 8 else None
    if found is None or found.kind not in "biuf":
        raise pickle.UnpicklingError(f"an array holds {name!r}, not numbers")
    return found


def _number(kind: object, data: object) -> Any:
    """Stand for NumPy's `scalar`."""
    if not isinstance(kind, np.dtype) or kind.kind not in "biuf" or not isinstance(data, bytes):
        raise pickle.UnpicklingError("a number is built in an unusual way")
    return np.frombuffer(data, kind, count=1)[0]


def _encode(text: object, encoding: object = "") -> bytes:
    """Stand for `codecs.encode`, by which Python 2 style pickles write bytes."""
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError("text is encoded in an unusual way")
    return text.encode("latin1")


class ArrayUnpickler(pickle.Unpickler):
    """Reads dictionaries, lists, numbers, text and NumPy arrays, and refuses every other name in the file.

    The names are not even looked up: each stands for a function here that can do nothing but make an array.
    """

    _ADMITTED: ClassVar[dict[tuple[str, str], Callable[..., Any] | type]] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("_codecs", "encode"): _encode,
        ("numpy", "ndarray"): _ArrayMarker,
        ("numpy", "dtype"): _number_type,
        **{
            (f"numpy.{core}.multiarray", name): stand_in
            for core in ("core", "_core")
            for name, stand_in in (("_reconstruct", _new_array), ("scalar", _number))
        },
    }

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a name; raises `UnpicklingError` for all that are not admitted."""
        try:
            return self._ADMITTED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None

    def persistent_load(self, _: Any) -> Any:
        """Refuse what lies outside of the file."""
        raise pickle.UnpicklingError("it refers to something outside of itself")


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return what a checkpoint holds at its top: of PyTorch (`.pth`), or a pickle of NumPy arrays (`.pkl`).

    The content decides, not the name. Nothing in the file is executed; raises `ImportRefused` for one that holds
    more than tensors, arrays, numbers and text.
    """
    try:
        refuse_irregular(path)
        with path.open("rb") as file:
            start = file.read(64)
            file.seek(0)
            of_torch = start.startswith(_ZIP) or _TORCH_MAGIC in start
            found = _read_torch(path) if of_torch else _read_pickle(path, file)
    except OSError as error:
        raise ImportRefused(f"{path} cannot be read: {error.strerror or error}") from error
    if not isinstance(found, Mapping):
        raise ImportRefused(f"{path} holds a {type(found).__name__}, not a checkpoint's dictionary")
    return dict(found)


def _read_torch(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # a damaged file fails in many ways, and each means the same
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ImportRefused(
            f"{path} is damaged, or holds more than weights, which is never executed: {reason}. Save it again with "
            "torch.save({'model': model.state_dict()}, …)"
        ) from error


def _read_pickle(path: Path, file: BinaryIO) -> Any:
    try:
        return ArrayUnpickler(file, encoding="latin1").load()
    except Exception as error:  # a hostile pickle can raise anything, and each means the same
        raise ImportRefused(
            f"{path} is neither a PyTorch checkpoint nor a pickle of NumPy arrays, or it is hostile; nothing in "
            f"it was executed: {error}"
        ) from error


def as_tensors(path: Path, found: Mapping[Any, Any]) -> dict[str, Tensor]:
    """Return the tensors of a state dict in float32; raises `ImportRefused` for what is no finite tensor."""
    tensors = {}
    for name, value in found.items():
        tensor = torch.from_numpy(value) if isinstance(value, np.ndarray) else value
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise ImportRefused(f"{path}: {name} is a {type(value).__name__}, not a tensor")
        if tensor.is_floating_point():
            tensor = tensor.float()
            if not tensor.isfinite().all():
                raise ImportRefused(
                    f"{path}: {name} has values that are not finite; such a model cannot answer"
                )
        tensors[name] = tensor
    prefix = "module."
    if tensors and all(name.startswith(prefix) for name in tensors):
        return {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return tensors


def fit_weights(network: nn.Module, tensors: dict[str, Tensor], source: str) -> None:
    """Load `tensors` into `network`; raises `ImportRefused` that names what is missing, left over, or misshapen."""
    wanted = network.state_dict()
    problems = []
    for title, names in (
        ("missing", [name for name in wanted if name not in tensors]),
        ("left over", [name for name in tensors if name not in wanted]),
        (
            "of another shape",
            [
                f"{name} (is {_shape(tensors[name])}, should be {_shape(wanted[name])})"
                for name in wanted
                if name in tensors and tensors[name].shape != wanted[name].shape
            ],
        ),
    ):
        if names:
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            problems.append(f"{title}: {', '.join(names[:_NAMED])}{more}")
    if problems:
        raise ImportRefused(f"the weights do not fit {source}; {'; '.join(problems)}")
    network.load_state_dict(tensors)


def _shape(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "a number"
