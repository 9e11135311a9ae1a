"""The course of training, kept in its folder: JSON lines for the report, and the same for TensorBoard."""

import json
from pathlib import Path
from typing import Any

from tensorboardX import SummaryWriter

from planimeter.evaluation import Metrics
from planimeter.training.recipe import Status

HISTORY = "history.jsonl"
EVERY = 25
"""Steps that one line is the mean of."""


class History:
    """Writes as training goes on; what was written after the checkpoint that it resumes from is dropped."""

    def __init__(self, folder: Path, resumed_at: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / HISTORY
        kept = [line for line in read_history(folder) if line["step"] <= resumed_at]
        self._path.write_text("".join(json.dumps(line) + "\n" for line in kept), "utf-8")
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=resumed_at + 1)
        self._sums: dict[str, float] = {}
        self._steps = 0

    def step(self, status: Status) -> None:
        """Note a step; every 25th writes their mean losses."""
        self._steps += 1
        for name, value in status.losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        if status.step % EVERY:
            return
        losses = {name: round(value / self._steps, 5) for name, value in self._sums.items()}
        self._sums, self._steps = {}, 0
        self._write(status, {"rate": status.rate, "losses": losses})
        for name, value in losses.items():
            self._board.add_scalar(f"loss/{name}", value, status.step)
        self._board.add_scalar("loss/sum", sum(losses.values()), status.step)
        self._board.add_scalar("rate", status.rate, status.step)

    def validation(self, status: Status, metrics: Metrics) -> None:
        """Write the figures of a validation."""
        self._write(status, {"validation": metrics.model_dump(mode="json")})
        for name, value in (
            ("AP", metrics.mask_ap),
            ("AP50", metrics.mask_ap50),
            ("F1", metrics.f1),
            ("percent masked, mean absolute error", metrics.coverage.mean_absolute_error),
            ("percent masked, bias", metrics.coverage.bias),
        ):
            self._board.add_scalar(f"validation/{name}", value, status.step)
        self._board.flush()

    def __enter__(self) -> "History":
        return self

    def __exit__(self, *_: object) -> None:
        self._board.close()

    def _write(self, status: Status, more: dict[str, Any]) -> None:
        line = {
            "step": status.step,
            "epoch": round(status.epoch, 3),
            "elapsed": round(status.elapsed, 1),
            **more,
        }
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def read_history(folder: Path) -> list[dict[str, Any]]:
    """Return the lines in a training's folder, oldest first; a line torn by a kill is left out."""
    lines: list[dict[str, Any]] = []
    path = folder / HISTORY
    for text in path.read_text("utf-8").splitlines() if path.is_file() else ():
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            continue
    return lines
