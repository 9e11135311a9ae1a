"""What a cluster has, and how much of it each process that measures gets."""

from dataclasses import dataclass
from typing import Any

CPUS = 4
"""Of a process, where a machine has as many: what is not the network takes a good share of them."""


@dataclass(frozen=True)
class Shares:
    """How a cluster is shared out."""

    cpus: int
    """For each process."""
    gpus: int
    """For each: 1 or 0."""
    processes: int
    """How many fit into the cluster as it is."""


def share_out(ray: Any, *, gpu: bool) -> Shares:
    """Return the shares in the cluster that was joined; `gpu` is whether a GPU would be of use."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cpus = [int(node.get("CPU", 0)) for node in nodes]
    each = min([CPUS, *(count for count in cpus if count)])
    gpus = int(sum(node.get("GPU", 0) for node in nodes)) if gpu else 0
    if gpus:
        return Shares(each, 1, gpus)
    return Shares(each, 0, max(1, sum(count // each for count in cpus)))
