"""What was understood of labelled pictures: how many there are, of which classes, how large."""

from collections import Counter
from dataclasses import dataclass, field
from statistics import median

from planimeter.labels.pictures import LabelledPicture, LabelledPictures

SIZE_EDGES = (4, 8, 16, 32, 64, 128, 256, 512)
"""Where the bins of the size histogram meet: the square root of an instance's area, in pixels."""


@dataclass
class Census:
    """Counts over pictures that need not be in memory together."""

    format: str
    classes: tuple[str, ...]
    pictures: int = 0
    empty: int = 0
    """Pictures without an object: kept, as negatives."""
    picture_sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    """How many pictures have which height and width."""
    pictures_with: Counter[str] = field(default_factory=Counter)
    sizes: dict[str, list[float]] = field(default_factory=dict)
    """For each class, the square root of each instance's area, in pixels."""

    def __post_init__(self) -> None:
        self.sizes = {name: [] for name in self.classes}

    def add(self, picture: LabelledPicture) -> None:
        """Count a picture."""
        height, width = picture.pixels.shape[:2]
        self.pictures += 1
        self.empty += not picture.labels
        self.picture_sizes[height, width] += 1
        self.pictures_with.update({self.classes[label - 1] for label in picture.labels})
        for label, mask in zip(picture.labels, picture.masks, strict=True):
            self.sizes[self.classes[label - 1]].append(mask.area**0.5)

    @property
    def instances(self) -> int:
        """Instances of all classes."""
        return sum(map(len, self.sizes.values()))

    def median_size(self, class_name: str) -> float:
        """Return the median of the square root of the area, in pixels; 0 where there is no instance."""
        return median(self.sizes[class_name] or [0.0])

    def histogram(self, class_name: str) -> tuple[int, ...]:
        """Return how many instances there are below the first of `SIZE_EDGES`, between each two, and above."""
        bins = [0] * (len(SIZE_EDGES) + 1)
        for size in self.sizes[class_name]:
            bins[sum(size >= edge for edge in SIZE_EDGES)] += 1
        return tuple(bins)


def count(data: LabelledPictures) -> Census:
    """Return the census of pictures in memory."""
    census = Census(data.format, data.classes)
    for picture in data.pictures:
        census.add(picture)
    return census
