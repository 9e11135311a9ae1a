"""The routes of the Open Inference Protocol: what KServe and Triton clients ask of a server."""

from collections.abc import Callable
from importlib.metadata import version

from flask import Response, request

from planimeter.errors import UnknownModel
from planimeter.packs.pack import Pack
from planimeter.service.api.answering import json_answer
from planimeter.service.api.answers.measurements import measurement_answer
from planimeter.service.api.described import DescribedBlueprint, View, answer_of
from planimeter.service.api.options.parsing import NoOptions
from planimeter.service.api.routes import refuse_foreign_pages
from planimeter.service.context import context
from planimeter.service.inference.asked import HEADER, Asked, read_request
from planimeter.service.inference.messages import (
    INPUTS,
    OUTPUTS,
    InferenceAnswer,
    InferenceModel,
    InferenceProblem,
    InferenceRequest,
    InferenceServer,
    Live,
    ModelReady,
    OutputTensor,
    Ready,
    TensorInfo,
)
from planimeter.service.inference.outputs import outputs_of, refuse_too_large
from planimeter.service.inference.tensors import Tensor
from planimeter.service.measuring import measure_upload
from planimeter.service.pictures import admitted
from planimeter.service.probes import check_ready
from planimeter.service.queue import Place
from planimeter.service.repeats import HEADER as KEY
from planimeter.store import Record

inference = DescribedBlueprint("inference", __name__, "/v2", problem=InferenceProblem)
inference.blueprint.before_request(refuse_foreign_pages)
_MODEL, _VERSION = "/models/<name>", "/models/<name>/versions/<model_version>"
_HOW = (
    "Of the Open Inference Protocol V2, for KServe and Triton clients. The picture is measured and stored as POST "
    "/api/v1/measurements does it, in the same queue and limits; the answer's parameters say under which "
    "measurement_id. The input may also be UINT8 pixels [height, width, 3], and tensors may be bytes behind the JSON "
    "(Inference-Header-Content-Length), as Triton's clients send them."
)


@inference.get("", "Of which kind is this server?", answer_of("This one.", InferenceServer), role="read")
def server(_: NoOptions) -> Response:
    """Answer what the server is."""
    return json_answer(
        InferenceServer(name="planimeter", version=version("planimeter"), extensions=["binary_tensor_data"])
    )


@inference.get(
    "/health/live", "Is the server alive?", answer_of("It is.", Live), role="open", options=None, errors=()
)
def live() -> Response:
    """Answer that the process is alive."""
    return json_answer(Live())


@inference.get(
    "/health/ready",
    "Is the server ready to infer?",
    answer_of("It is.", Ready),
    role="open",
    options=None,
    errors=(503,),
)
def ready() -> Response:
    """Answer 200 once the default model is loaded and while the store can be written, 503 otherwise."""
    check_ready()
    return json_answer(Ready())


@inference.get(
    _MODEL,
    "What does a model take and give?",
    answer_of("Its tensors.", InferenceModel),
    role="read",
    errors=(400, 404),
)
def model(_: NoOptions, name: str) -> Response:
    """Answer the inputs and outputs of a model."""
    return json_answer(_info(_pack(name)))


@inference.get(
    _VERSION,
    "What does a version of a model take and give?",
    answer_of("Its tensors.", InferenceModel),
    role="read",
    errors=(400, 404),
)
def model_version(_: NoOptions, name: str, model_version: str) -> Response:
    """Answer the inputs and outputs of a model in one version."""
    return json_answer(_info(_pack(name, model_version)))


@inference.get(
    f"{_MODEL}/ready", "Is a model ready?", answer_of("It is.", ModelReady), role="read", errors=(400, 404)
)
def model_ready(_: NoOptions, name: str) -> Response:
    """Answer that a model can measure: one that is not loaded is so by the first picture."""
    return json_answer(ModelReady(name=_pack(name).name))


@inference.get(
    f"{_VERSION}/ready",
    "Is a version of a model ready?",
    answer_of("It is.", ModelReady),
    role="read",
    errors=(400, 404),
)
def version_ready(_: NoOptions, name: str, model_version: str) -> Response:
    """Answer that a model can measure in one version."""
    return json_answer(ModelReady(name=_pack(name, model_version).name))


def _infers(rule: str, summary: str) -> Callable[[View], View]:
    return inference.route(
        "POST",
        rule,
        summary,
        answer_of("Measured and stored.", InferenceAnswer),
        role="measure",
        body=InferenceRequest,
        errors=(400, 403, 404, 408, 409, 413, 415, 422, 503, 504, 507),
        description=_HOW,
    )


@_infers(f"{_MODEL}/infer", "Infer")
def infer(_: NoOptions, name: str) -> Response:
    """Measure a picture with a model."""
    return _infer(_pack(name))


@_infers(f"{_VERSION}/infer", "Infer with a version")
def infer_version(_: NoOptions, name: str, model_version: str) -> Response:
    """Measure a picture with a model in one version."""
    return _infer(_pack(name, model_version))


def _pack(name: str, wanted: str | None = None) -> Pack:
    pack = context().models.find(name)
    if wanted is not None and wanted != pack.manifest.version:
        raise UnknownModel(
            f"the model {name!r} is here in version {pack.manifest.version}, not in {wanted[:60]!r}"
        )
    return pack


def _info(pack: Pack) -> InferenceModel:
    return InferenceModel(
        name=pack.name,
        versions=[pack.manifest.version],
        platform="planimeter",
        inputs=INPUTS,
        outputs=[
            TensorInfo(name=name, datatype=kind, shape=shape) for name, (kind, shape) in OUTPUTS.items()
        ],
    )


def _infer(pack: Pack) -> Response:
    parts = context()
    with admitted() as place:
        asked = read_request(request, pack.name, parts.settings.max_bytes)
        record = measure_upload(place, asked.data, asked.filename, asked.options, request.headers.get(KEY))
        return _answer(place, asked, record)


def _answer(place: Place, asked: Asked, record: Record) -> Response:
    measurement = record.measurement
    needed = refuse_too_large(measurement, record.id, asked.outputs)
    with context().memory.reserved(needed, place.deadline):
        tensors = outputs_of(
            measurement,
            [*asked.outputs],
            lambda: measurement_answer(record).model_dump_json(by_alias=True),
        )
        described, behind = [], []
        for tensor, binary in zip(tensors, asked.outputs.values(), strict=True):
            packed = tensor.as_bytes() if binary else None
            described.append(_described(tensor, packed))
            behind += [] if packed is None else [packed]
        answer = InferenceAnswer(
            model_name=measurement.model.name,
            model_version=measurement.model.version,
            id=asked.id,
            parameters={"measurement_id": record.id},
            outputs=described,
        )
        head = answer.model_dump_json(exclude_none=True).encode()
        if not behind:
            return Response(head, content_type="application/json")
        sent = Response(b"".join([head, *behind]), content_type="application/octet-stream")
        sent.headers[HEADER] = str(len(head))
        return sent


def _described(tensor: Tensor, packed: bytes | None) -> OutputTensor:
    return OutputTensor(
        name=tensor.name,
        datatype=tensor.datatype,
        shape=[*tensor.shape],
        parameters=None if packed is None else {"binary_data_size": len(packed)},
        data=tensor.as_json() if packed is None else None,
    )
