"""What a round of attacks saw, and which promises did not hold."""

from dataclasses import dataclass, field
from pathlib import Path

PICTURES = Path(__file__).parents[2] / "src/planimeter/samples/pictures"
SAMPLE = PICTURES / "nuclei-culture.png"
"""A good picture."""


@dataclass
class Verdict:
    """What a round saw, and what broke."""

    title: str
    seen: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def expect(self, promise: str, *, held: bool) -> None:
        """Note a promise that did not hold."""
        if not held:
            self.broken.append(promise)
