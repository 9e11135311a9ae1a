"""What every import ends with: a summary of the new model, and one picture measured with it as proof."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field
from rich.table import Table

from planimeter.commands.printing import console
from planimeter.drawing.encoding import encode_png
from planimeter.errors import ImportRefused
from planimeter.measuring.segmenter import Segmenter
from planimeter.numbers import write_percent
from planimeter.packs.manifest import Preprocessing
from planimeter.packs.pack import Pack
from planimeter.samples import list_samples


class Proof(BaseModel):
    """The picture that a new model measures first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    picture: Path | None = Field(None, description="Picture to measure as proof; unless given, a sample.")
    overlay: Path | None = Field(
        None, description="Where it is written as drawn; unless given, beside the packs folder."
    )

    def check_target(self, folder: Path, *, replace: bool) -> None:
        """Refuse to overwrite a model, and to begin with a picture that is not there."""
        if folder.exists() and not replace:
            raise ImportRefused(f"there is a model in {folder}; choose another --name, or --replace it")
        if self.picture is not None and not self.picture.is_file():
            raise ImportRefused(f"--picture {self.picture} is not a file")


def print_summary(pack: Pack, facts: Sequence[tuple[str, str]], notes: Sequence[str] = ()) -> None:
    """Print what became of a model: its classes, input, answer, thresholds and files."""
    manifest = pack.manifest
    table = Table.grid(padding=(0, 2))
    names = [entry.name for entry in manifest.classes]
    shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    files = [path for path in sorted(pack.folder.iterdir()) if path.is_file()]
    for title, value in (
        ("Name", f"{manifest.name} {manifest.version}"),
        *facts,
        ("Pictures", say_preprocessing(manifest.preprocessing)),
        ("Classes", f"{len(names)}: {shown}"),
        (
            "Scores",
            f"{manifest.thresholds.score:g} unless asked otherwise; none below {manifest.limits.score_floor:g}, "
            f"{manifest.limits.detections} instances at most",
        ),
        ("Files", ", ".join(f"{path.name} {_size(path)}" for path in files)),
        ("Folder", str(pack.folder)),
    ):
        table.add_row(title, value)
    printer = console()
    printer.print(table)
    for note in notes:
        printer.print(f"check  {note}")


def prove(segmenter: Segmenter, pack: Pack, proof: Proof) -> None:
    """Measure a picture with the new model, print the result, and write the drawn picture."""
    picture = proof.picture or list_samples()[0].path
    measured = segmenter.measure(picture)
    target = proof.overlay or pack.folder.parent.parent / "imports" / f"{pack.name}.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(encode_png(measured.draw()))
    found = measured.coverage
    counts = ", ".join(f"{entry.count} {entry.class_name}" for entry in found.by_class if entry.count)
    printer = console()
    printer.print(
        f"proof  {picture.name}: {write_percent(found.percent_masked)} % masked, {len(measured.instances)} instances"
        f"{f' ({counts})' if counts else ''}; {segmenter.info.runtime}, {measured.timing_ms.inference:.0f} ms"
    )
    printer.print(f"drawn  {target}")
    if not measured.instances:
        printer.print("check  nothing was found in it: give a --picture that shows what the model knows")


def say_preprocessing(how: Preprocessing) -> str:
    """Return in words how a picture becomes the network's input."""
    if how.size is not None:
        height, width = how.size
        kinds = {
            "stretch": "stretched to",
            "letterbox": "scaled into a letterbox of",
            "rectangle": "scaled to fit into",
        }
        kind = kinds[how.fit]
        size = f"{kind} {width} x {height} px"
    elif how.fit == "native":
        size = f"as they are, scaled down to {how.longest_edge} px"
    else:
        size = f"shorter side {how.shortest_edge} px, longer side at most {how.longest_edge} px"
    mean, std = (", ".join(f"{number:g}" for number in numbers) for numbers in (how.mean, how.std))
    smooth = "averaging all pixels" if how.antialias else "bilinear"
    return f"{size}, {smooth}; {how.channels.upper()}, ({mean}) taken off, divided by ({std})"


def _size(path: Path) -> str:
    size = path.stat().st_size
    return f"{size / 2**20:.1f} MB" if size >= 2**20 else f"{size / 2**10:.1f} kB"
