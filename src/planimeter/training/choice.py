"""What a training says of the thresholds that it chose, and of its model beside the one that it started from."""

from planimeter.evaluation import Calibration, compare, summarise
from planimeter.evaluation.calibration import LEAST_PICTURES
from planimeter.labels import LabelledPictures
from planimeter.measuring.opening import open_segmenter
from planimeter.packs.pack import Pack
from planimeter.settings import Inference


def describe_choice(calibration: Calibration, written: Pack, start: Pack | None) -> str:
    """Return which thresholds the model has, and why."""
    if calibration.pictures >= LEAST_PICTURES:
        return describe_calibration(calibration, "validation")
    thresholds = written.manifest.thresholds
    kept = "the defaults" if start is None else f"those of {start.name}"
    return (
        f"{calibration.pictures} validation pictures are too few to choose thresholds by ({LEAST_PICTURES} at least): "
        f"{kept} are kept, score {thresholds.score:g}, mask {thresholds.mask:g}"
    )


def compare_with_start(written: Pack, start: Pack, validate: LabelledPictures) -> str:
    """Return whether the new model is better than the one it started from, on the same pictures, plainly."""
    known = {entry.name for entry in start.manifest.classes}
    if missing := sorted(set(validate.classes) - known):
        return f"{start.name} does not know {', '.join(missing)}: the two are not compared"
    how = Inference(infer_with_cpu=True)
    segmenter = open_segmenter(start, how)
    found = summarise(
        compare(segmenter, validate.with_classes(segmenter.classes)),
        segmenter.classes,
        segmenter.default_threshold,
    )
    figures = written.manifest.metrics["validation"]
    now, before = figures["coverage"]["mean_absolute_error"], found.coverage.mean_absolute_error
    verdict = (
        "the new model is better"
        if now < before
        else "the new model is NOT better: think twice before you use it"
    )
    count = len(validate.pictures)
    same = written.name == start.name
    new, old = (f"{pack.name} {pack.manifest.version}" if same else pack.name for pack in (written, start))
    return (
        f"on the same {count} validation picture{'' if count == 1 else 's'}: {new} {now:.2f} points and F1 "
        f"{figures['f1']:.3f}, {old} {before:.2f} points and F1 {found.f1:.3f}; by the percentage, {verdict}"
    )


def describe_calibration(calibration: Calibration, where: str) -> str:
    """Return the thresholds that were chosen, and what they changed."""
    before, after = calibration.before, calibration.after
    return (
        f"thresholds: score {calibration.score}, mask {calibration.mask}; percent masked on {where}: "
        f"bias {after.bias:+.2f}, mean absolute error {after.mean_absolute_error:.2f} points "
        f"({before.bias:+.2f} and {before.mean_absolute_error:.2f} at 0.5 and 0.5)"
    )
