"""GeoJSON as QuPath reads it: an annotation for each object."""

import json
from pathlib import Path
from typing import Any

from planimeter.exports.source import Source
from planimeter.labels import qupath
from planimeter.labels.entries import ObjectEntry, Report
from planimeter.masks.outlines import Ring, outlines
from planimeter.measurement import Instance


def write(source: Source) -> dict[str, Any]:
    """Return a collection of features: polygons with holes along the edges of pixels."""
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "geometry": _geometry([[_closed(ring) for ring in part] for part in outlines(mask)]),
                "properties": {
                    "objectType": "annotation",
                    "name": f"{instance.class_name} {instance.id}",
                    "classification": {"name": instance.class_name},
                    "measurements": {
                        "score": instance.score,
                        "area_px": instance.area_px,
                        **_area(source, instance),
                    },
                },
            }
            for instance, mask in source.objects
            if mask.area
        ],
    }


def read(document: Any, source: Source) -> list[ObjectEntry]:
    """Return the objects as they are read as labels."""
    return qupath.objects_in(Path(source.stem), json.loads(json.dumps(document)), Report())


def _area(source: Source, instance: Instance) -> dict[str, float]:
    """Return the area in units, by a name that says which, where it is known how large a pixel is."""
    scale = source.measurement.image.scale
    return {} if scale is None else {f"area_{scale.unit}2": scale.area(instance.area_px)}


def _closed(ring: Ring) -> list[list[int]]:
    corners: list[list[int]] = ring.tolist()
    return [*corners, corners[0]]


def _geometry(parts: list[list[list[list[int]]]]) -> dict[str, Any]:
    if len(parts) == 1:
        return {"type": "Polygon", "coordinates": parts[0]}
    return {"type": "MultiPolygon", "coordinates": parts}
