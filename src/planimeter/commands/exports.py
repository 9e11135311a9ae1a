"""`planimeter models export`: a model for other programs and other people."""

from pathlib import Path
from typing import Literal

import click

from planimeter.commands.options import options_of
from planimeter.commands.printing import console
from planimeter.errors import InvalidOption
from planimeter.importing.archive import write_archive
from planimeter.packs.pack import Pack, find_pack
from planimeter.packs.packing import new_file
from planimeter.runtimes.openvino import save_ir
from planimeter.settings import Settings

Format = Literal["zip", "onnx", "openvino"]
_SUFFIXES: dict[Format, str] = {"zip": ".zip", "onnx": ".onnx", "openvino": ".xml"}


@click.command("export", short_help="Write a model to a file.")
@click.argument("name")
@click.argument("output", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "kind",
    type=click.Choice(list(_SUFFIXES)),
    default="zip",
    show_default=True,
    help="zip has all of the model, for planimeter models import zip; onnx and openvino have its network alone.",
)
@click.option("--replace", is_flag=True, help="Replace OUTPUT where it is there.")
@options_of(Settings, "settings", only=("packs_folder",))
def export_model(name: str, output: Path, kind: Format, replace: bool, settings: Settings) -> None:
    """Write the model NAME to OUTPUT, a file, or a folder that receives it under its own name."""
    pack = find_pack(name, settings.packs_folder)
    target = output / f"{pack.name}{_SUFFIXES[kind]}" if output.is_dir() else output
    if kind == "openvino" and target.suffix != ".xml":
        raise InvalidOption(
            f"OUTPUT is {target}; OpenVINO wants a name ending in .xml, and writes a .bin beside it"
        )
    if target.exists() and not replace:
        raise InvalidOption(f"{target} is there; choose another OUTPUT, or --replace it")
    _write(pack, target, kind)
    console().print(f"wrote {target} ({target.stat().st_size / 2**20:.1f} MB)")


def _write(pack: Pack, target: Path, kind: Format) -> None:
    if kind == "zip":
        write_archive(pack, target)
        return
    onnx = pack.file(pack.manifest.onnx)
    if kind == "openvino":
        save_ir(onnx, target)
        return
    with new_file(target) as aside:
        aside.write_bytes(onnx.read_bytes())
