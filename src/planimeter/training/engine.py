"""Training: one loop that can be stopped and resumed at any time, and keeps what was best on validation."""

import copy
import math
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader

from planimeter.errors import TrainingError
from planimeter.evaluation import Metrics, best_threshold, compare, summarise
from planimeter.labels import LabelledPictures
from planimeter.measuring.segmenter import Segmenter
from planimeter.networks.exact_boxes import keep_boxes_exact
from planimeter.networks.own import BoxSpaceNetwork, PixelMaskRCNN
from planimeter.packs.pack import Pack
from planimeter.runtimes.torch import TorchRuntime
from planimeter.training.cpu import suit_cpu
from planimeter.training.crops import Augmentation, Crops, collate
from planimeter.training.loading import EndlessSampler, batches_of, leave_signals_to_the_trainer
from planimeter.training.losses import learn_from
from planimeter.training.recipe import Recipe, Status
from planimeter.training.replicas import Replicas, choose_processes
from planimeter.training.start import choose_arithmetic, freeze
from planimeter.training.weights import decayed, follow

LAST, BEST = "last.pt", "best.pt"


class Trainer:
    """Holds all that a checkpoint holds; `run` goes on from wherever that is."""

    def __init__(self, network: PixelMaskRCNN, pack: Pack, recipe: Recipe, folder: Path, device: str) -> None:
        self.recipe = recipe
        self.pack = pack
        self.folder = folder
        self.device = torch.device(device)
        self.network = network.to(self.device, memory_format=torch.channels_last)
        # A copy whose weights follow slowly: what is validated, kept and exported.
        self.average: AveragedModel = AveragedModel(
            self.network, multi_avg_fn=follow(recipe.average), use_buffers=True
        )
        # The copy was taken before: it is exported, with torchvision's own operations.
        whole = recipe.freeze_backbone
        self._frozen = freeze(self.network, whole=whole) if recipe.freeze or whole else []
        if self.device.type == "cpu":
            suit_cpu(self.network)
        keep_boxes_exact(self.network)
        self.processes = choose_processes(recipe.processes, recipe.batch, self.network, self.device)
        """How many learn side by side."""
        self.optimizer = torch.optim.AdamW(
            decayed(self.network, recipe.weight_decay),
            lr=recipe.learning_rate,
            betas=(0.9, 0.999),
            fused=True,  # all weights in one go, not one after the other
        )
        self._arithmetic = choose_arithmetic(recipe.arithmetic, self.device)
        # float16 loses small gradients unless the loss is scaled up; bfloat16 has the range of float32.
        self._scaler = torch.amp.GradScaler(
            self.device.type, init_scale=2.0**12, enabled=self._arithmetic is torch.float16
        )
        self.step = 0
        self.elapsed = 0.0
        self.best: float | None = None
        self.unimproved = 0
        self.validated: int | None = None
        """The step of the last validation."""
        self.stopping = threading.Event()
        """Once set, `run` saves and returns after the step under way."""

    def resume(self) -> bool:
        """Go on from the folder's last checkpoint; returns whether there is one."""
        path = self.folder / LAST
        if not path.is_file():
            return False
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
            self.network.load_state_dict(state["network"])
            self.average.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, KeyError, ValueError) as error:
            raise TrainingError(
                f"{path} does not fit this training ({error}); choose another --work-folder"
            ) from error
        self.step, self.elapsed, self.best = state["step"], state["elapsed"], state["best"]
        self.unimproved = state.get("unimproved", 0)
        self.validated = state.get("validated", None if self.best is None else self.step)
        return True

    def save(self, name: str) -> None:
        """Write a checkpoint aside, then move it into place: a full disk or a kill leaves the one before."""
        self.folder.mkdir(parents=True, exist_ok=True)
        aside = self.folder / f"{name}.part"
        state: dict[str, Any] = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "elapsed": self.elapsed,
            "best": self.best,
            "unimproved": self.unimproved,
            "validated": self.validated,
        }
        try:
            torch.save(state, aside)
            aside.replace(self.folder / name)
        except (OSError, RuntimeError) as error:
            aside.unlink(missing_ok=True)
            raise TrainingError(f"the checkpoint {self.folder / name} cannot be written: {error}") from error

    def run(
        self,
        train: LabelledPictures,
        validation: LabelledPictures | None,
        on_step: Callable[[Status], None],
        on_validation: Callable[[Status, Metrics], None],
    ) -> bool:
        """Train to the end of the recipe, from the step where this trainer stands; false where it was stopped.

        The checkpoint of the best validation is kept; without validation pictures the last one is.
        """
        recipe = self.recipe
        crops = Crops(
            train,
            self.pack.manifest.preprocessing,
            recipe.crop,
            recipe.seed,
            Augmentation(
                scale=(recipe.least_zoom, recipe.most_zoom),
                lighting=recipe.lighting,
                paste=recipe.paste,
                mosaic=recipe.mosaic,
            ),
        )
        loader = DataLoader(
            crops,
            batch_size=self.recipe.batch,
            sampler=EndlessSampler(len(crops), self.recipe.seed, self.step * self.recipe.batch),
            collate_fn=collate,
            num_workers=self.recipe.workers,
            persistent_workers=self.recipe.workers > 0,
            worker_init_fn=leave_signals_to_the_trainer,
        )
        self._to_training()
        validated, saved, status = self.elapsed, self.elapsed, None
        steps = math.ceil(self.recipe.epochs * len(crops) / self.recipe.batch)
        started = time.perf_counter()
        with self._replicas() as replicas, batches_of(loader) as batches:
            for images, targets in batches:
                fraction = self._fraction(steps)
                if fraction >= 1:
                    break
                losses = self._learn(replicas, images, targets, fraction)
                self.step += 1
                now = time.perf_counter()
                self.elapsed, started = self.elapsed + now - started, now
                status = self._status(losses, steps, len(crops))
                on_step(status)
                if self.stopping.is_set():
                    self.save(LAST)
                    return False
                if validation is not None and self.elapsed - validated >= 60 * recipe.validate_every:
                    validated = saved = self.elapsed
                    with replicas.all_cores():
                        self._validate(validation, status, on_validation)
                    if recipe.patience is not None and self.unimproved >= recipe.patience:
                        break
                    started = time.perf_counter()  # validation is no training time
                elif self.elapsed - saved >= 60 * recipe.save_every:
                    saved = self.elapsed
                    self.save(LAST)
        if self.validated == self.step:
            return True
        if validation is not None:
            # A training that was stopped at its last step has no status, and nothing validated of it.
            self._validate(validation, status or self._status({}, steps, len(crops)), on_validation)
        else:
            self.validated = self.step
            self.save(LAST)
            self.save(BEST)
        return True

    def _replicas(self) -> Replicas:
        return Replicas(self.network, self._frozen, self._arithmetic, self.processes, self.recipe.seed)

    def _status(self, losses: dict[str, float], steps: int, length: int) -> Status:
        return Status(
            step=self.step,
            epoch=self.step * self.recipe.batch / length,
            fraction=self._fraction(steps),
            losses=losses,
            rate=self.optimizer.param_groups[0]["lr"],
            pictures_per_second=self.step * self.recipe.batch / max(self.elapsed, 1e-9),
            elapsed=self.elapsed,
        )

    def _fraction(self, steps: int) -> float:
        if self.recipe.minutes is not None:
            return min(1.0, self.elapsed / (60 * self.recipe.minutes))
        return min(1.0, self.step / steps)

    def _learn(
        self, replicas: Replicas, images: Tensor, targets: list[dict[str, Tensor]], fraction: float
    ) -> dict[str, float]:
        """Take one step; returns the losses."""
        rate = self.recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * fraction))
        rate *= min(1.0, (self.step + 1) / max(1, self.recipe.warmup))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        images = images.to(self.device)
        targets = [{name: value.to(self.device) for name, value in target.items()} for target in targets]
        share = replicas.give((images, targets))
        losses = replicas.take(learn_from(self.network, share, self._arithmetic, self._scaler))
        broken = [name for name, loss in losses.items() if not torch.isfinite(loss)]
        if broken:
            raise TrainingError(
                f"the loss is not finite at step {self.step} ({', '.join(broken)}); "
                f"the last good checkpoint is kept in {self.folder}; try a smaller --learning-rate"
            )
        self._scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self._scaler.step(self.optimizer)
        self._scaler.update()
        self.average.update_parameters(self.network)
        return {name.removeprefix("loss_"): loss.item() for name, loss in losses.items()}

    def _validate(
        self, validation: LabelledPictures, status: Status, on_validation: Callable[[Status, Metrics], None]
    ) -> None:
        segmenter = self.segmenter()
        compared = compare(segmenter, validation)
        metrics = summarise(compared, validation.classes, best_threshold(compared))
        # One figure to choose by: found objects count as much as a percentage that is right to 1 point in 5.
        quality = metrics.mask_ap50 - 0.2 * metrics.coverage.mean_absolute_error
        self.validated = self.step
        if self.best is None or quality > self.best:
            self.best, self.unimproved = quality, 0
            self.save(BEST)
        else:
            self.unimproved += 1
        self.save(LAST)
        on_validation(status, metrics)
        self._to_training()

    def _to_training(self) -> None:
        self.network.train()
        for layer in self._frozen:
            layer.eval()

    def segmenter(self) -> Segmenter:
        """Return the averaged network as a segmenter, the way it will be served."""
        return Segmenter(
            self.pack,
            TorchRuntime(
                BoxSpaceNetwork(self.averaged(), self.pack.manifest.own_architecture).eval(), str(self.device)
            ),
        )

    def averaged(self) -> PixelMaskRCNN:
        """Return a copy of the network with the averaged weights."""
        return cast("PixelMaskRCNN", copy.deepcopy(self.average.module))

    def restart_average(self) -> None:
        """Start the running average from the network as it is now."""
        self.average.module.load_state_dict(self.network.state_dict())

    def load_best(self) -> None:
        """Take the averaged weights of the best checkpoint."""
        state = torch.load(self.folder / BEST, map_location=self.device, weights_only=True)
        self.average.load_state_dict(state["average"])
