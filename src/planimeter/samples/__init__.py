"""Sample pictures that the project computed itself, with their true coverage known exactly."""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from planimeter.errors import UnknownSample

FOLDER = Path(__file__).parent / "pictures"
INDEX = FOLDER / "index.json"


@dataclass(frozen=True)
class Sample:
    """A picture that comes with the package, and what a perfect measurement of it would say."""

    name: str
    model: str
    """The model whose classes it shows."""
    title: str
    filename: str
    sha256: str
    """Of the file: a measurement of these very bytes can be compared with the truth."""
    percent_true: float
    instances_true: int

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return FOLDER / self.filename

    def read(self) -> bytes:
        """Return the bytes of the PNG file."""
        return self.path.read_bytes()


@cache
def list_samples() -> tuple[Sample, ...]:
    """Return every sample, in the order in which a page shows them."""
    return tuple(Sample(**entry) for entry in json.loads(INDEX.read_text("utf-8")))


def find_sample(name: str) -> Sample:
    """Return the sample called `name`; raises `UnknownSample`."""
    for sample in list_samples():
        if sample.name == name:
            return sample
    known = ", ".join(sample.name for sample in list_samples())
    raise UnknownSample(f"there is no sample {name!r}; known: {known}")


def sample_by_sha256(sha256: str) -> Sample | None:
    """Return the sample whose file has this SHA-256, or None where a picture is no sample."""
    return next((sample for sample in list_samples() if sample.sha256 == sha256), None)


def sha256_of(data: bytes) -> str:
    """Return the SHA-256 of `data` as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()
