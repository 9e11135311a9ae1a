"""Writing what an evaluation found into the pack that it was of."""

from planimeter.errors import DataError
from planimeter.evaluation.calibration import Calibration
from planimeter.evaluation.metrics import Metrics
from planimeter.packs.manifest import Manifest, Thresholds
from planimeter.packs.pack import Pack
from planimeter.packs.packing import write_manifest, write_trust
from planimeter.packs.trust import Trust

CROSS_VALIDATION = "cross-validation"
"""The part of pictures each of which was measured by a model that had not seen it."""


def record_metrics(pack: Pack, part: str, metrics: Metrics) -> Pack:
    """Add the figures of an evaluation to a pack's manifest and card; returns the pack as it is now."""
    recorded = {**pack.manifest.metrics, part: metrics.model_dump(mode="json", exclude_none=True)}
    return _write(pack, pack.manifest.model_copy(update={"metrics": recorded}))


def record_thresholds(pack: Pack, calibration: Calibration) -> Pack:
    """Make the thresholds of a calibration the pack's own; figures recorded at other thresholds are dropped."""
    thresholds = calibrated(pack, calibration)
    if thresholds == pack.manifest.thresholds:
        return pack
    manifest = pack.manifest.model_copy(update={"thresholds": thresholds, "metrics": {}, "trust": None})
    return _write(pack, manifest)


def record_trust(pack: Pack, trust: Trust) -> Pack:
    """Write what a model knows of its own errors into its pack."""
    try:
        return _write(pack, write_trust(pack.folder, pack.manifest, trust))
    except OSError as error:
        raise DataError(f"the pack {pack.folder} cannot be written: {error.strerror}") from error


def calibrated(pack: Pack, calibration: Calibration) -> Thresholds:
    """Return the thresholds of a pack as a calibration would have them."""
    return pack.manifest.thresholds.model_copy(update={"score": calibration.score, "mask": calibration.mask})


def _write(pack: Pack, manifest: Manifest) -> Pack:
    try:
        write_manifest(pack.folder, manifest)
    except OSError as error:
        raise DataError(f"the pack {pack.folder} cannot be written: {error.strerror}") from error
    return Pack(pack.folder, manifest, pack.bundled)
