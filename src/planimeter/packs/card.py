"""The model card: what a pack sees, what it was trained on, how good it is and where it fails, as Markdown.

After Mitchell et al., "Model Cards for Model Reporting" (2019), arXiv:1810.03993, at the length people read.
"""

from collections.abc import Iterator
from typing import Any

from planimeter.packs.manifest import Architecture, Manifest, TrainingData

_PARTS = {
    "test": "Test pictures, kept out of training and validation",
    "cross-validation": "Training pictures, each measured by a model that had not seen it; they chose the thresholds",
    "validation": "Validation pictures, which chose the checkpoint and the threshold",
}


def write_card(manifest: Manifest) -> str:
    """Return the card of a pack, from nothing but its manifest."""
    data = manifest.training_data
    lines = [
        f"# {manifest.title}",
        "",
        manifest.summary,
        "",
        f"- **Classes:** {', '.join(entry.name for entry in manifest.classes)}",
        f"- **Trained on:** {data.name}; {_amount(data)}licence: {data.licence}",
        *([f"- **Content of those pictures and labels:** SHA-256 {data.sha256}"] if data.sha256 else []),
        f"- **Network:** {_network(manifest)}",
        f"- **At most** {manifest.limits.detections} instances in one picture; the answer says so when it is reached",
        f"- **Default score threshold:** {manifest.thresholds.score:g}",
        "",
    ]
    for part in sorted(manifest.metrics, key=[*_PARTS, *manifest.metrics].index):
        figures = manifest.metrics[part]
        if isinstance(figures, dict) and "coverage" in figures:  # else written by hand, or by another version
            lines += [f"## {_PARTS.get(part, part[:1].upper() + part[1:])}", "", *_figures(figures), ""]
    if manifest.limitations:
        lines += ["## Where it fails", "", manifest.limitations, ""]
    return "\n".join(lines)


def _amount(data: TrainingData) -> str:
    """Return how much there was to learn from, where that is known."""
    return f"{data.pictures} pictures, {data.instances} instances; " if data.pictures else ""


def _network(manifest: Manifest) -> str:
    scaling = manifest.preprocessing
    if manifest.architecture is None:
        kind = (
            f"imported from ONNX, its answer read as {manifest.output.layout}"
            if manifest.output
            else "imported"
        )
    else:
        architecture = manifest.architecture
        own = isinstance(architecture, Architecture)
        kind = f"Mask R-CNN, {architecture.backbone}{' with a feature pyramid' if own else ''}"
    if scaling.size is not None:
        height, width = scaling.size
        how = (
            f"a picture is {'stretched' if scaling.fit == 'stretch' else 'scaled'} into {width} x {height} px"
        )
    elif scaling.fit == "native":
        how = f"a picture is not scaled, unless its longer side is above {scaling.longest_edge} px"
    elif scaling.scale is not None:
        how = f"every picture is scaled by {scaling.scale:g}, whatever its size"
    else:
        how = (
            f"a picture's shorter side is scaled to {scaling.shortest_edge} px, its longer side to "
            f"{scaling.longest_edge} px at most"
        )
    size = manifest.training_data.pixel_size_um
    if size is not None:
        how += f"; pixels measured {size:g} µm in the training, and a picture whose pixel size is known is scaled so"
    return f"{kind}; {how}"


def _figures(metrics: dict[str, Any]) -> list[str]:
    coverage = metrics["coverage"]
    low, high = coverage["limits_of_agreement"]
    return [
        "| figure | value |",
        "|---|---|",
        f"| pictures, instances | {metrics['pictures']}, {metrics['instances']} |",
        f"| percent masked: mean absolute error | {coverage['mean_absolute_error']:.2f} points |",
        f"| percent masked: bias (measured - true) | {coverage['bias']:+.2f} points |",
        f"| percent masked: 95 % limits of agreement | {low:+.2f} to {high:+.2f} points |",
        *_intervals(metrics),
        f"| mask AP, AP50, AP75 (COCO, up to 1000 detections) | {metrics['mask_ap']:.3f}, "
        f"{metrics['mask_ap50']:.3f}, {metrics['mask_ap75']:.3f} |",
        f"| precision, recall, F1 at IoU 0.5 | {metrics['precision']:.3f}, {metrics['recall']:.3f}, "
        f"{metrics['f1']:.3f} |",
        *(
            f"| pooled pixel IoU, {name} | {value:.3f} |"
            for name, value in metrics["pixel_iou_by_class"].items()
        ),
        *_more_figures(metrics),
    ]


def _intervals(metrics: dict[str, Any]) -> Iterator[str]:
    figures = metrics.get("interval")
    if figures:
        yield (
            f"| truth inside the interval for this picture, mean width | {100 * figures['inside']:.0f} % (stated: "
            f"{100 * figures['level']:.0f} %), {figures['mean_width']:.2f} points |"
        )


def _more_figures(metrics: dict[str, Any]) -> Iterator[str]:
    """Yield what says something only of several classes, or of pictures without an object."""
    by_class = metrics.get("coverage_by_class", {})
    if len(by_class) > 1:
        yield f"| pooled pixel IoU, mean over classes | {metrics['mean_pixel_iou']:.3f} |"
        for name, error in by_class.items():
            yield (
                f"| percent masked by {name}: mean absolute error, bias | "
                f"{error['mean_absolute_error']:.2f}, {error['bias']:+.2f} points |"
            )
    if metrics.get("empty_pictures"):
        yield (
            "| pictures without an object in which something was found | "
            f"{metrics['empty_pictures_with_instances']} of {metrics['empty_pictures']} |"
        )
