"""How weights are led: which of them decay, and how their running average follows."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


def decayed(network: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Return parameter groups: matrices and filters decay; biases and norms, which have one axis, do not."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return [
        {"params": [parameter for parameter in parameters if parameter.ndim > 1], "weight_decay": decay},
        {"params": [parameter for parameter in parameters if parameter.ndim <= 1], "weight_decay": 0.0},
    ]


def follow(decay: float) -> Callable[[Any, Any, Tensor | int], None]:
    """Return how a running average follows the weights: closely at first, at last with `decay`.

    With a fixed decay a fifth of what is exported after 800 steps would still be random weights and the figures of
    untrained norms: enough to find nothing. The warm-up is that of TensorFlow's `ExponentialMovingAverage`.
    """

    def follow_closer(averaged: Any, current: Any, count: Tensor | int) -> None:
        taken = int(count)
        get_ema_multi_avg_fn(min(decay, (1 + taken) / (10 + taken)))(averaged, current, taken)

    return follow_closer
