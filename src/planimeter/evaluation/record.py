"""Writing what an evaluation found into the pack that it was of, unless another one has taken its place meanwhile."""

from collections.abc import Callable

from planimeter.errors import DataError, ModelsBusy
from planimeter.evaluation.calibration import Calibration
from planimeter.evaluation.metrics import Metrics
from planimeter.packs.changing import changing
from planimeter.packs.manifest import Manifest, Thresholds
from planimeter.packs.pack import Pack, read_pack
from planimeter.packs.packing import write_manifest, write_trust
from planimeter.packs.trust import Trust

CROSS_VALIDATION = "cross-validation"
"""The part of pictures each of which was measured by a model that had not seen it."""


def record_metrics(pack: Pack, part: str, metrics: Metrics) -> Pack:
    """Add the figures of an evaluation to a pack's manifest and card; returns the pack as it is now."""
    recorded = {**pack.manifest.metrics, part: metrics.model_dump(mode="json", exclude_none=True)}
    return _write(pack, lambda: pack.manifest.model_copy(update={"metrics": recorded}))


def record_thresholds(pack: Pack, calibration: Calibration) -> Pack:
    """Make the thresholds of a calibration the pack's own; figures recorded at other thresholds are dropped."""
    thresholds = calibrated(pack, calibration)
    if thresholds == pack.manifest.thresholds:
        return pack
    manifest = pack.manifest.model_copy(update={"thresholds": thresholds, "metrics": {}, "trust": None})
    return _write(pack, lambda: manifest)


def record_trust(pack: Pack, trust: Trust) -> Pack:
    """Write what a model knows of its own errors into its pack."""
    return _write(pack, lambda: write_trust(pack.folder, pack.manifest, trust))


def calibrated(pack: Pack, calibration: Calibration) -> Thresholds:
    """Return the thresholds of a pack as a calibration would have them."""
    return pack.manifest.thresholds.model_copy(update={"score": calibration.score, "mask": calibration.mask})


def _write(pack: Pack, make: Callable[[], Manifest]) -> Pack:
    """Write the manifest that `make` returns; raises `ModelsBusy` where the folder has another model by now."""
    try:
        if pack.bundled:
            manifest = make()
            write_manifest(pack.folder, manifest)
        else:
            with changing(pack.folder.parent):
                _refuse_exchanged(pack)
                manifest = make()
                write_manifest(pack.folder, manifest)
    except OSError as error:
        raise DataError(f"the pack {pack.folder} cannot be written: {error.strerror}") from error
    return Pack(pack.folder, manifest, pack.bundled)


def _refuse_exchanged(pack: Pack) -> None:
    there = read_pack(pack.folder).manifest
    if (there.version, there.onnx.sha256) != (pack.manifest.version, pack.manifest.onnx.sha256):
        raise ModelsBusy(
            f"another service or command has exchanged the model in {pack.folder} meanwhile: nothing of this "
            "evaluation was written there; evaluate the one that is there now, or the version in its own folder"
        )
