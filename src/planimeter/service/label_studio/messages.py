"""What Label Studio sends to a backend, and what it is answered (label_studio/ml/api_connector.py of its sources)."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, FailFast, Field

MOST_TASKS = 1000
"""Of a request, which one of the service's threads is at work on until the last is done."""
LabelConfig = Annotated[str, Field(json_schema_extra={"format": "label-config"})]
TaskData = Annotated[
    dict[str, Any],
    Field(
        json_schema_extra={
            "properties": {"image": {"type": "string", "format": "picture-url"}},
            "required": ["image"],
        }
    ),
]


class Message(BaseModel):
    """A part of what is said; what is not known here is left out, for each version of Label Studio says more."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", strict=True, protected_namespaces=(), populate_by_name=True
    )


class SetupRequest(Message):
    """A project that is about to ask."""

    project: str | None = None
    config: LabelConfig = Field(alias="schema", description="The labelling configuration.")


class Task(Message):
    """A picture that is to be predicted."""

    id: int | None = None
    data: TaskData


class Params(Message):
    """What comes with tasks."""

    context: dict[str, Any] | None = Field(
        None, description="The regions with which somebody points at an object, in its result."
    )


class PredictRequest(Message):
    """Pictures that are to be predicted."""

    tasks: Annotated[list[Task], FailFast()] = Field(min_length=1, max_length=MOST_TASKS)
    project: str | None = None
    label_config: LabelConfig
    params: Params | None = None


class Said(Message):
    """Anything that Label Studio tells."""


class SetupAnswer(Message):
    """The model is there."""

    model_version: str
    classes_without_label: list[str] = Field(
        description="Classes of the model that the configuration has no label for: their objects are left out."
    )


class Prediction(Message):
    """What was found in one picture."""

    result: list[dict[str, Any]] = Field(description="Regions.")
    score: float | None = Field(description="The mean of the regions' scores; null where there is none.")
    model_version: str
    measurement: str = Field(description="The id under which the picture's measurement is stored.")
    without_label: dict[str, int] = Field(
        description="Objects of classes without a label, which are left out of the result."
    )


class TaskProblem(Message):
    """Why there is no prediction for a task."""

    task: int | None
    code: str
    message: str


class PredictAnswer(Message):
    """What was found, task by task."""

    results: list[Prediction | list[Prediction]] = Field(
        description="In the order of the tasks; an empty list where a picture cannot be measured."
    )
    model_version: str
    errors: list[TaskProblem] = Field(description="Why not, of each such task.")


class HealthAnswer(Message):
    """The backend is there."""

    status: str = "UP"
    model_class: str = "Planimeter"


class Versions(Message):
    """Which versions of the model there are."""

    versions: list[str]


class Told(Message):
    """It was heard, and nothing follows from it."""

    status: str = "ok"
