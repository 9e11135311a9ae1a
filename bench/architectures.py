"""Compare architectures honestly: the same pictures, the same recipe, the same time, the same test.

    python bench/architectures.py ../shared/datasets/steel --minutes 45

Trains each architecture with the product's own command, then compares the packs on `test.json` in one report. What a
run leaves in its folder is taken up by the next one: a training that was stopped goes on, one that ended is not
repeated. Where the ImageNet weights of all architectures cannot be had, `--backbone-weights none` gives all of them
the same start from scratch: comparing one that has seen ImageNet with one that has not would compare that.
"""

import argparse
import subprocess
import sys
from pathlib import Path

ARCHITECTURES = ("mobilenet_v2", "resnet50", "resnet101")


def main() -> None:
    """Train what is not there yet, then compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with train.json, test.json and the pictures")
    parser.add_argument("--architectures", nargs="+", default=ARCHITECTURES[:2], choices=ARCHITECTURES)
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--minutes", type=float, default=45, help="of training, for each (45)")
    budget.add_argument("--epochs", type=int, help="instead of minutes: times each picture is seen, for each")
    parser.add_argument("--backbone-weights", default="imagenet", help="imagenet, or none: all from scratch")
    parser.add_argument("--folder", type=Path, default=Path("planimeter-data/architectures"))
    options, recipe = parser.parse_known_args()
    budget_options = (
        ["--minutes", options.minutes] if options.epochs is None else ["--epochs", options.epochs]
    )
    names = []
    for architecture in options.architectures:
        name = architecture.replace("_", "-")
        names.append(name)
        if (options.folder / "packs" / name / "pack.json").is_file():
            continue
        planimeter(
            "train", options.data / "train.json", "--name", name, "--architecture", architecture,
            "--packs-folder", options.folder / "packs", "--work-folder", options.folder / name,
            "--backbone-weights", options.backbone_weights, *budget_options, *recipe,
        )  # fmt: skip
    packs = [options.folder / "packs" / name for name in names]
    planimeter("evaluate", *packs, options.data / "test.json", "--report", options.folder / "report")


def planimeter(*arguments: object) -> None:
    """Run the product's own command with the interpreter that runs this; its output goes where ours goes."""
    subprocess.run([sys.executable, "-m", "planimeter", *map(str, arguments)], check=True)


if __name__ == "__main__":
    main()
