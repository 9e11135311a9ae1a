"""Compare architectures honestly: the same pictures, the same recipe, the same time, the same test.

    python bench/architectures.py ../shared/datasets/steel --minutes 45
    python bench/architectures.py ../shared/datasets/steel --train mobilenet_v2=none resnet50=none mobilenet_v2=FILE
    python bench/architectures.py ../shared/datasets/steel --train efficientnet_lite0 efficientnet_lite0+no-light

Trains each architecture with the product's own command, then compares the packs on `test.json` in one report. What a
run leaves in its folder is taken up by the next one: a training that was stopped goes on, one that ended is not
repeated. After `=` stands what the backbone starts from, as after `--backbone-weights`: comparing one that has seen
ImageNet with one that has not compares that. Where the weights cannot be had for all, `none` starts all from scratch.
After each `+` stands one more option of `planimeter train`: to take parts of the network away one by one.

The table at the end tells of each network: the figures of its validation part, billions of multiplications and
additions for one picture, milliseconds of the network alone (all of them in turns, picture by picture), the size of its
file, and how many crops a second it learnt from.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from arithmetic import gflop
from numpy.typing import NDArray
from rich.table import Table
from tables import open_console

from planimeter import load
from planimeter.evaluation import Metrics
from planimeter.labels import read_labels
from planimeter.packs.pack import Pack, read_pack
from planimeter.pictures.preprocessing import preprocess
from planimeter.training.recipe import Recipe

PICTURES = 20
"""Of the test, evenly taken: the network's time and arithmetic are medians over them."""
ROUNDS = 5
BATCH = Recipe().batch


def main() -> None:
    """Train what is not there yet, then compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with train.json, test.json and the pictures")
    parser.add_argument(
        "--train",
        nargs="+",
        default=["mobilenet_v2", "resnet50"],
        metavar="ARCHITECTURE[=WEIGHTS][+OPTION[=VALUE]…]",
    )
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--minutes", type=float, default=45, help="of training, for each (45)")
    budget.add_argument("--epochs", type=int, help="instead of minutes: times each picture is seen, for each")
    parser.add_argument("--folder", type=Path, default=Path("planimeter-data/architectures"))
    options, recipe = parser.parse_known_args()
    budget_options = (
        ["--minutes", options.minutes] if options.epochs is None else ["--epochs", options.epochs]
    )
    names = []
    for wanted in options.train:
        architecture, weights, more = parse(wanted)
        name = name_of(architecture, weights, more)
        names.append(name)
        if (options.folder / "packs" / name / "pack.json").is_file():
            continue
        planimeter(
            "train", options.data / "train.json", "--name", name, "--architecture", architecture,
            "--packs-folder", options.folder / "packs", "--work-folder", options.folder / name,
            "--backbone-weights", weights, *budget_options, *recipe, *more,
        )  # fmt: skip
    packs = [options.folder / "packs" / name for name in names]
    planimeter("evaluate", *packs, options.data / "test.json", "--report", options.folder / "report")
    open_console().print(table_of(options.folder, names, options.data / "test.json"))


def parse(wanted: str) -> tuple[str, str, list[str]]:
    """Return the architecture, its weights, and further options of `train`."""
    start, *extra = wanted.split("+")
    architecture, _, weights = start.partition("=")
    more = [part for entry in extra for part in _option(entry)]
    return architecture, weights or "imagenet", more


def _option(entry: str) -> list[str]:
    name, has_value, value = entry.partition("=")
    return [f"--{name}", value] if has_value else [f"--{name}"]


def name_of(architecture: str, weights: str, more: list[str]) -> str:
    """Return a name that no other of the models has."""
    start = {"none": "scratch", "imagenet": "pretrained"}.get(weights, Path(weights).stem)
    words = [architecture, start, *(part.lstrip("-") for part in more)]
    return re.sub("[^a-z0-9]+", "-", "-".join(words).lower()).strip("-")[:64]


def table_of(folder: Path, names: list[str], test: Path) -> Table:
    """Return what each network is worth and what it costs."""
    columns = ("IoU", "error", "bias", "AP50", "F1", "GFLOP", "ms", "MB", "steps", "crops/s")
    table = Table("", *columns, title="On the validation part; time and arithmetic on pictures of the test")
    packs = [read_pack(folder / "packs" / name) for name in names]
    pictures = read_labels(test).pictures
    images = [
        [
            preprocess(picture.pixels, pack.manifest.preprocessing, pack.manifest.preprocessing.scale)[0]
            for picture in pictures[:: max(1, len(pictures) // PICTURES)]
        ]
        for pack in packs
    ]
    times = milliseconds(packs, images)
    for name, pack, its, its_ms in zip(names, packs, images, times, strict=True):
        found = Metrics.model_validate(pack.manifest.metrics["validation"])
        with (folder / name / "history.jsonl").open(encoding="utf-8") as lines:
            steps = [line for line in map(json.loads, lines) if "losses" in line]
        last = steps[-1]
        size = pack.file(pack.manifest.onnx).stat().st_size
        table.add_row(
            name,
            f"{found.mean_pixel_iou:.3f}",
            f"{found.coverage.mean_absolute_error:.2f}",
            f"{found.coverage.bias:+.2f}",
            f"{found.mask_ap50:.3f}",
            f"{found.f1:.3f}",
            f"{statistics.median(gflop(pack, its)):.2f}",
            f"{its_ms:.1f}",
            f"{size / 1e6:.1f}",
            f"{last['step']}",
            f"{BATCH * last['step'] / last['elapsed']:.1f}",
        )
    return table


def milliseconds(packs: list[Pack], images: list[list[NDArray[np.float32]]]) -> list[float]:
    """Return the median over the pictures of the lowest of a few rounds, for each network, in turns."""
    # Below the public API is what this measures.
    runtimes = [load(str(pack.folder), infer_with_cpu=True)._runtime for pack in packs]  # noqa: SLF001
    lowest = [[float("inf")] * len(its) for its in images]
    for _ in range(ROUNDS):
        for number in range(len(images[0])):
            for runtime, its, kept in zip(runtimes, images, lowest, strict=True):
                started = time.perf_counter()
                runtime.run(its[number])
                kept[number] = min(kept[number], 1000 * (time.perf_counter() - started))
    return [statistics.median(its) for its in lowest]


def planimeter(*arguments: object) -> None:
    """Run the product's own command with the interpreter that runs this; its output goes where ours goes."""
    subprocess.run([sys.executable, "-m", "planimeter", *map(str, arguments)], check=True)


if __name__ == "__main__":
    main()
