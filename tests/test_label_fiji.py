"""Regions of Fiji and ImageJ as labels."""

import io
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import roifile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from planimeter.errors import DataError
from planimeter.labels import read_labels
from planimeter.labels.fiji import region_in
from planimeter.masks.union import union_mask

WIDTH, HEIGHT = 60, 40
SQUARE = [[10, 10], [30, 10], [30, 30], [10, 30]]
TYPE, SUBTYPE = roifile.ROI_TYPE, roifile.ROI_SUBTYPE


def region(kind: Any, **more: Any) -> Any:
    return roifile.ImagejRoi(roitype=kind, left=10, top=10, right=30, bottom=30, **more)


def outline(kind: Any, points: Any = SQUARE, **more: Any) -> Any:
    made = roifile.ImagejRoi.frompoints(points, **more)
    made.roitype = kind
    return made


def composite(*steps: float) -> Any:
    path = np.array(steps, np.float32)
    return region(TYPE.RECT, multi_coordinates=path, shape_roi_size=len(path))


def ring(x0: float, y0: float, x1: float, y1: float) -> tuple[float, ...]:
    return (0, x0, y0, 1, x1, y0, 1, x1, y1, 1, x0, y1, 4)


def splined() -> Any:
    made = outline(TYPE.POLYGON)
    made.options |= roifile.ROI_OPTIONS.SPLINE_FIT
    return made


def picture(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    seed = sum(map(ord, file.name))
    pixels = np.random.default_rng(seed).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    Image.fromarray(pixels).save(file)


def pixels_of(made: Any) -> NDArray[np.bool_]:
    entry = region_in("region", made.tobytes())
    return union_mask([shape.draw(HEIGHT, WIDTH) for shape in entry.shapes], HEIGHT, WIDTH)


def square(*, hole: bool = False) -> NDArray[np.bool_]:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[10:30, 10:30] = True
    if hole:
        mask[15:20, 15:20] = False
    return mask


@pytest.mark.parametrize("kind", [TYPE.POLYGON, TYPE.FREEHAND, TYPE.TRACED])
def test_outlines_are_read_in_whole_and_in_fractions_of_pixels(kind: Any) -> None:
    assert (pixels_of(outline(kind)) == square()).all()
    fine = outline(kind, np.array(SQUARE) + 0.4)
    assert (pixels_of(fine) == square()).all(), "a pixel belongs to what holds its centre"
    assert pixels_of(outline(kind, np.array(SQUARE) + 0.6)).sum() == 400
    assert not pixels_of(outline(kind, np.array(SQUARE) + 0.6))[10, 10]


def test_rectangles_and_ovals_are_read() -> None:
    assert (pixels_of(region(TYPE.RECT)) == square()).all()
    assert pixels_of(region(TYPE.OVAL)).sum() == 316
    fine = region(
        TYPE.RECT,
        version=228,
        options=roifile.ROI_OPTIONS.SUB_PIXEL_RESOLUTION,
        xd=10.6,
        yd=10.0,
        widthd=19.0,
        heightd=20.0,
    )
    assert pixels_of(fine).sum() == 19 * 20


def test_composites_have_holes_and_parts() -> None:
    assert (pixels_of(composite(*ring(10, 10, 30, 30), *ring(15, 15, 20, 20))) == square(hole=True)).all()
    assert pixels_of(composite(*ring(0, 0, 5, 5), *ring(50, 30, 60, 40))).sum() == 25 + 100


@pytest.mark.parametrize(
    ("made", "named"),
    [
        (region(TYPE.LINE), "type line has no area"),
        (outline(TYPE.POLYLINE), "type polyline has no area"),
        (outline(TYPE.FREELINE), "type freeline has no area"),
        (outline(TYPE.ANGLE), "type angle has no area"),
        (outline(TYPE.POINT), "type point has no area"),
        (
            region(TYPE.RECT, subtype=SUBTYPE.TEXT, text_name="SansSerif", text="a"),
            "text, an arrow or a picture",
        ),
        (region(TYPE.RECT, rounded_rect_arc_size=8), "rounded corners"),
        (composite(0, 1, 1, 3, 1, 2, 3, 4, 5, 6, 4), "curves"),
        (splined(), "fitted with a spline"),
        (region(TYPE.RECT, position=3), "slice 3 of a stack"),
    ],
)
def test_what_is_not_read_is_named(made: Any, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        region_in("region", made.tobytes())


@settings(deadline=None)
@given(st.data())
def test_damage_ends_in_a_sentence(data: Any) -> None:
    made = data.draw(
        st.sampled_from([outline(TYPE.TRACED, name="a"), composite(*ring(1, 1, 5, 5)), region(TYPE.OVAL)])
    )
    whole = bytearray(made.tobytes())
    for _ in range(data.draw(st.integers(0, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    with suppress(ValueError):  # which readers turn into a finding
        for shape in region_in("region", cut).shapes:
            shape.draw(HEIGHT, WIDTH)


def test_each_file_is_that_of_the_picture_it_is_named_after(tmp_path: Path) -> None:
    for name in ("a.png", "b.tif", "c.png", "d.png"):
        picture(tmp_path / name)
    roifile.roiwrite(tmp_path / "a.zip", [outline(TYPE.TRACED, name="x")])
    roifile.roiwrite(tmp_path / "b_rois.zip", [region(TYPE.OVAL, name="x")])
    roifile.roiwrite(tmp_path / "RoiSet_c.zip", [region(TYPE.RECT, name="x")])
    (tmp_path / "d.roi").write_bytes(outline(TYPE.POLYGON).tobytes())
    data = read_labels(tmp_path)
    assert data.format == "Fiji ROI"
    assert {entry.name: [mask.area for mask in entry.masks] for entry in data.pictures} == {
        "a.png": [400],
        "b.tif": [316],
        "c.png": [400],
        "d.png": [400],
    }


def test_single_regions_are_those_of_the_only_picture(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "0020-0020.roi").write_bytes(outline(TYPE.POLYGON).tobytes())
    (tmp_path / "0021-0020.roi").write_bytes(region(TYPE.OVAL).tobytes())
    (entry,) = read_labels(tmp_path).pictures
    assert [mask.area for mask in entry.masks] == [400, 316]


def test_a_set_without_a_name_among_several_pictures_is_refused(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png")
    roifile.roiwrite(tmp_path / "RoiSet.zip", [outline(TYPE.TRACED, name="x")])
    with pytest.raises(DataError, match=r"cannot be told among 2 pictures, for RoiSet\.zip bears no name"):
        read_labels(tmp_path)


def test_regions_of_another_picture_are_not_given_to_the_only_one(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    roifile.roiwrite(tmp_path / "b.zip", [outline(TYPE.TRACED, name="x")])
    with pytest.raises(DataError, match="picture b: is not there"):
        read_labels(tmp_path)


def test_broken_regions_are_named_and_can_be_left_out(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("good.roi", outline(TYPE.TRACED).tobytes())
        archive.writestr("bad.roi", b"Iout")
        archive.writestr("notes.txt", "not a region")
    with pytest.raises(DataError, match="region bad: is no region of ImageJ, or damaged"):
        read_labels(tmp_path)
    data = read_labels(tmp_path, leave_out_broken=True)
    assert data.instances == 1
    assert "left out as broken: 1 objects or pictures" in data.doubts


def test_a_zip_of_something_else_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        archive.writestr("result.json", "{}")
    with pytest.raises(DataError, match="holds no regions of Fiji"):
        read_labels(tmp_path / "export.zip")
    (tmp_path / "cut.zip").write_bytes(io.BytesIO(b"PK\x03\x04cut").getvalue())
    with pytest.raises(DataError, match="holds no regions of Fiji"):
        read_labels(tmp_path / "cut.zip")


def test_the_class_of_a_region_is_its_property_else_its_group(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    named = outline(TYPE.TRACED, name="a name that is much longer than the properties are")
    named.props = "score: 0.5\nclass: über: 1\n"
    roifile.roiwrite(
        tmp_path / "a.zip", [named, region(TYPE.OVAL, name="g", group=3), region(TYPE.RECT, name="o")]
    )
    data = read_labels(tmp_path)
    assert [data.classes[label - 1] for label in data.pictures[0].labels] == ["über: 1", "group 3", "object"]
