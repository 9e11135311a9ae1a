"""What a training learns from, by content, for the pack that it writes."""

from typing import Literal

from planimeter.labels import LabelledPictures
from planimeter.labels.content import PictureContent, content_of, digest_of
from planimeter.packs.learnt import Learnt, LearntPicture


def learnt_from(learn: LabelledPictures, *validations: LabelledPictures | None) -> Learnt:
    """Return what was learnt from, and what was validated on, picture by picture."""
    contents: list[PictureContent] = []
    pictures: list[LearntPicture] = []

    def add(data: LabelledPictures, part: Literal["train", "validation"]) -> None:
        for picture in data.pictures:
            content = content_of(picture, data.classes)
            contents.append(content)
            pictures.append(
                LearntPicture(
                    name=content.name, part=part, sha256=content.sha256, labels_sha256=content.labels_sha256
                )
            )

    add(learn, "train")
    for data in filter(None, validations):
        add(data, "validation")
    return Learnt(sha256=digest_of(contents), pictures=tuple(pictures))
