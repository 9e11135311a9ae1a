"""The deployment that measures for a service: started, called, and ended with it."""

import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from planimeter.cluster.carried import MOST_BYTES_BACK, Asked, bytes_of_small, from_bytes
from planimeter.cluster.connection import Cluster, connected, within
from planimeter.cluster.packs import files_of
from planimeter.cluster.resources import share_out
from planimeter.errors import DeadlineExceeded, NotReady, QueueFull
from planimeter.measurement import Counting, ModelInfo
from planimeter.packs.pack import Pack
from planimeter.pictures.decode import Picture
from planimeter.settings import Inference

MOST_REPLICAS = 64
"""In a cluster that was joined, which may grow; in one that was started here, as many as fit."""
AT_A_TIME_ON_GPU = 16
"""Pictures in a replica: they meet in batches there, see `planimeter.cluster.batches`."""
WAITING_IN_REPLICA = 2
"""Pictures. Few, as Ray Serve does not spread calls that carry pictures evenly: what a replica may have is what evens
them out."""
LOOK_AGAIN_SECONDS = 0.01, 0.05
"""At first and at most, while all replicas have as many as they may. Ray Serve itself waits for up to half a second, in
which they may have nothing to do."""
LOOK_BACK_SECONDS, GROW_SECONDS = 12.0, 5.0
"""Whose pictures decide whether there is too much to do, and for how long there must be before replicas are added. Ray
Serve itself takes 30 of both; it is told how much there is each 10 seconds, and cannot look back for less."""
START_SECONDS = 180.0
"""In which the first replica must have loaded a model."""
END_SECONDS = 3.0
"""In which what Ray Serve runs in this process has ended."""
RETRY_SECONDS = 5
log = logging.getLogger(__name__)


class Workers:
    """The replicas of a service."""

    def __init__(self, cluster: Cluster, handle: Any) -> None:
        self.cluster = cluster
        self.measured: Counter[str] = Counter()
        """How many pictures each replica measured."""
        self._handle = handle

    def open(self, pack: Pack) -> "Worker":
        """Return what measures with a model, once a replica has loaded it; raises `NotReady`."""
        from planimeter.cluster.replica import reference  # noqa: PLC0415 - an extra

        model = f"{pack.name}-{pack.manifest.onnx.sha256[:16]}"
        handle = self._handle.options(multiplexed_model_id=model)
        # Calls that carry a picture go straight to the replica, where a client from outside does not reach it.
        direct = None if self.cluster.outside else handle.options(_by_reference=False)
        return Worker(handle, direct, model, reference(files_of(pack)), self.measured)


class Worker:
    """A model on the cluster."""

    def __init__(
        self, handle: Any, direct: Any | None, model: str, files: Any, measured: Counter[str]
    ) -> None:
        self._handle = handle
        self._direct = direct
        self._measured = measured
        self._model = model
        self._files = [files]  # in a list, so that Ray hands on the reference and not what it refers to
        self.info: ModelInfo = self._called(
            lambda: handle.describe.remote(model, self._files), lambda: START_SECONDS
        )

    def measure(
        self, picture: Picture, threshold: float, counting: Counting | None, left: Callable[[], float]
    ) -> Any:
        """Return the `Answer` of a replica; `left` says in how many seconds it must be there.

        Where the replica is gone before it has answered, another is asked, once. Raises `QueueFull` where too many
        wait, `DeadlineExceeded`, `NotReady` where a second one is gone too, and what the replica answers as an error.
        """
        asked = picture, threshold, counting
        answer = self._measured_directly(asked, left)
        if answer is None:
            answer = self._called(lambda: self._handle.measure.remote(self._model, asked, self._files), left)
        self._measured[answer.replica] += 1
        return answer

    def _measured_directly(self, asked: Asked, left: Callable[[], float]) -> Any:
        """Return the answer to a call that carries the picture; None where it is too large, or the model new there."""
        direct = self._direct
        packed = None if direct is None else bytes_of_small(asked)
        if direct is None or packed is None:
            return None
        return self._called(lambda: direct.measure.remote(self._model, packed), left)

    def _called(self, ask: Callable[[], Any], left: Callable[[], float]) -> Any:
        from grpc import RpcError  # noqa: PLC0415 - an extra
        from ray.exceptions import RayError  # noqa: PLC0415
        from ray.serve.exceptions import BackPressureError, RayServeException  # noqa: PLC0415

        for last in (False, True):
            answer = ask()
            try:
                found = answer.result(timeout_s=left())
            except TimeoutError:
                answer.cancel()
                raise DeadlineExceeded(
                    "the picture waited for a worker until its deadline and was not measured; try again when there is "
                    "less to do, add machines to the cluster, or start the service with a longer --deadline"
                ) from None
            except BackPressureError:
                raise QueueFull(
                    f"as many pictures wait for the workers as may; try again in {RETRY_SECONDS} s",
                    retry_after=RETRY_SECONDS,
                ) from None
            except (RayError, RayServeException, RpcError, RuntimeError) as error:
                log.warning("a worker was gone before it answered (%s)", type(error).__name__)
                if last or not left():
                    raise NotReady(
                        "the worker that measured the picture is gone, and so is the one after it; nothing was kept, "
                        "try again"
                    ) from None
                time.sleep(min(1.0, left()))
            else:
                found = from_bytes(found) if isinstance(found, bytes) else found
                if isinstance(found, Exception):
                    raise found
                return found
        raise AssertionError("the second try returns or raises")  # pragma: no cover


def _is_news(record: logging.LogRecord) -> bool:
    """Leave out that Serve asked a replica that had died for the length of its queue, which it tells nobody."""
    from ray.exceptions import RayError  # noqa: PLC0415 - an extra

    return not (record.exc_info and isinstance(record.exc_info[1], RayError))


def _run(serve: Any, bound: Any, name: str, address: str) -> Any:
    """Return the handle of a deployment that runs; Serve itself waits without end for one that finds no place.

    What a service of that name left behind when it was killed goes first: its replicas hold what the new ones need.
    Raises `NotReady`.
    """

    def run() -> Any:
        if name in serve.status().applications:
            serve.delete(name)
        return serve.run(bound, name=name, route_prefix=None)

    handle, reason = within(START_SECONDS, run)
    if handle is not None:
        return handle
    raise NotReady(
        f"the Ray cluster {address} did not get a replica going ({reason}): it may have no free CPUs; its own page, or "
        "serve status, says what it waits for"
    )


@contextmanager
def deployed(how: Inference, name: str, waiting: int) -> Iterator[Workers]:
    """Have replicas measure for the service called `name` while this lasts; up to `waiting` pictures wait for them.

    Raises what `connected` raises.
    """
    with connected(dashboard=True) as cluster:
        import ray  # noqa: PLC0415 - an extra

        os.environ.setdefault("RAY_SERVE_REPLICA_GRPC_MAX_MESSAGE_LENGTH", str(MOST_BYTES_BACK))
        from ray import serve  # noqa: PLC0415 - reads the environment
        from ray.serve.config import RequestRouterConfig  # noqa: PLC0415

        from planimeter.cluster.replica import Replica  # noqa: PLC0415

        for each in ("ray", "ray.serve"):
            logging.getLogger(each).setLevel(logging.ERROR)
        logging.getLogger("asyncio").addFilter(_is_news)
        shares = share_out(ray, gpu=not how.infer_with_cpu)
        # As many as the network looks at together, and one before or after it.
        wanted = AT_A_TIME_ON_GPU // 2 if shares.gpus else min(how.streams, shares.cpus)
        at_a_time = AT_A_TIME_ON_GPU if shares.gpus else 1 + wanted
        deployment = serve.deployment(Replica).options(
            name="measure",
            ray_actor_options={"num_cpus": shares.cpus, "num_gpus": shares.gpus},
            max_ongoing_requests=WAITING_IN_REPLICA + at_a_time,
            max_queued_requests=waiting,
            request_router_config=RequestRouterConfig(
                initial_backoff_s=LOOK_AGAIN_SECONDS[0], max_backoff_s=LOOK_AGAIN_SECONDS[1]
            ),
            autoscaling_config={
                "min_replicas": 1,
                "max_replicas": shares.processes if cluster.here else MOST_REPLICAS,
                "target_ongoing_requests": wanted,
                "look_back_period_s": LOOK_BACK_SECONDS,
                "upscale_delay_s": GROW_SECONDS,
            },
            logging_config={"log_level": "ERROR"},
        )
        serve.start(proxy_location="Disabled", logging_config={"log_level": "ERROR"})
        bound = deployment.bind(how, shares.cpus, at_a_time)
        try:
            handle = _run(serve, bound, name, cluster.address)
            try:
                yield Workers(cluster, handle)
            finally:
                within(END_SECONDS, handle.shutdown)  # what counts its calls would join the cluster once more
        finally:
            if not cluster.here:  # one that was started here ends as a whole
                serve.delete(name)
