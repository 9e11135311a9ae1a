"""Compare architectures honestly: the same pictures, the same recipe, the same time, the same test.

    python bench/architectures.py ../shared/datasets/steel --minutes 45
    python bench/architectures.py ../shared/datasets/steel --train mobilenet_v2=none resnet50=none mobilenet_v2=FILE
    python bench/architectures.py ../shared/datasets/steel --train efficientnet_lite0 efficientnet_lite0+no-light

Trains each architecture with the product's own command, then compares the packs on `test.json` in one report. What a
run leaves in its folder is taken up by the next one: a training that was stopped goes on, one that ended is not
repeated. After `=` stands what the backbone starts from, as after `--backbone-weights`: comparing one that has seen
ImageNet with one that has not compares that. Where the weights cannot be had for all, `none` starts all from scratch.
After each `+` stands one more option of `planimeter train`: to take parts of the network away one by one.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path


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


def planimeter(*arguments: object) -> None:
    """Run the product's own command with the interpreter that runs this; its output goes where ours goes."""
    subprocess.run([sys.executable, "-m", "planimeter", *map(str, arguments)], check=True)


if __name__ == "__main__":
    main()
