"""`python -m planimeter.samples` computes the sample pictures and their index anew."""

import json
from dataclasses import asdict
from io import BytesIO

from PIL import Image

from planimeter.samples import FOLDER, INDEX, Sample, sha256_of
from planimeter.samples.scenes import SCENES


def main() -> None:
    """Write one PNG a scene, and the index with the truth."""
    FOLDER.mkdir(exist_ok=True)
    samples = []
    for name, named in SCENES.items():
        picture = named.draw()
        buffer = BytesIO()
        Image.fromarray(picture.pixels).save(buffer, "PNG", optimize=True)
        sample = Sample(
            name=name,
            model=named.model,
            title=named.title,
            filename=f"{name}.png",
            sha256=sha256_of(buffer.getvalue()),
            percent_true=picture.percent_true,
            instances_true=picture.instances_true,
        )
        sample.path.write_bytes(buffer.getvalue())
        samples.append(asdict(sample))
    INDEX.write_text(json.dumps(samples, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
