"""The denominator: which pixels of a picture count."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Counted:
    """The pixels of a picture that every percentage is a percentage of: all of them."""

    height: int
    width: int

    @property
    def pixels(self) -> int:
        """How many they are."""
        return self.height * self.width

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the picture in pixels."""
        return self.height, self.width
