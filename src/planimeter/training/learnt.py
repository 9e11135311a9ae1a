"""What a training learns from, by content, for the pack that it writes."""

from collections.abc import Mapping
from typing import Literal

from planimeter.labels import LabelledPictures
from planimeter.labels.content import PictureContent, content_of, digest_of
from planimeter.packs.learnt import Learnt, LearntPicture
from planimeter.training.plan import Review


def learnt_from(
    learn: LabelledPictures,
    *validations: LabelledPictures | None,
    reviewed: Mapping[str, Review] | None = None,
) -> Learnt:
    """Return what was learnt from, and what was validated on, picture by picture.

    `reviewed` says by its name which measurement a picture is of, where people reviewed it.
    """
    contents: list[PictureContent] = []
    pictures: list[LearntPicture] = []

    def add(data: LabelledPictures, part: Literal["train", "validation"]) -> None:
        for picture in data.pictures:
            content = content_of(picture, data.classes)
            source = (reviewed or {}).get(picture.name)
            contents.append(content)
            pictures.append(
                LearntPicture(
                    name=content.name,
                    part=part,
                    sha256=content.sha256,
                    labels_sha256=content.labels_sha256,
                    measurement=source and source.measurement,
                    corrections=source and source.corrections,
                )
            )

    add(learn, "train")
    for data in filter(None, validations):
        add(data, "validation")
    return Learnt(sha256=digest_of(contents), pictures=tuple(pictures))
