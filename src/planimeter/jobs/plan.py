"""What a training job is asked for, and what it becomes for the training itself."""

import re
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from planimeter.packs.manifest import NAME_PATTERN
from planimeter.training.plan import Job, PackPlan, Review
from planimeter.training.recipe import Recipe

REVIEWED = "reviewed"
"""The data that people have reviewed in the service itself."""
DEFAULT_MINUTES = 60.0
MOST_MINUTES = 20_160.0
MOST_OF_RECIPE: dict[str, float] = {
    "workers": 32,
    "processes": 32,
    "batch": 256,
    "crop": 2048,
    "epochs": 100_000,
    "minutes": MOST_MINUTES,
}
"""What a recipe may ask of the machine that a service shares with its trainings."""


class TrainingPlan(BaseModel):
    """What a person asks of a training."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["training"] = "training"
    data: str = Field(
        max_length=200,
        description="Name of a file or folder of labelled pictures in the folder that --training-data names; or "
        "reviewed, for the pictures that people reviewed of what the model to start from measured.",
    )
    name: str = Field(
        pattern=NAME_PATTERN,
        description="Name of the model that is to be made: of one that there is for a new version of it, or a new one.",
    )
    version: str | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="Its version; unless given, the one after that of the model of this name.",
    )
    start_from: str | None = Field(
        None,
        pattern=NAME_PATTERN,
        description="Name of a model to start from; unless given, the one called `name`, else ImageNet.",
    )
    shortest_edge: int | None = Field(
        None,
        ge=64,
        le=2048,
        description="Shorter side of a picture in the network, in pixels; unless given, that of `start_from`.",
    )
    minutes: float | None = Field(
        None,
        gt=0,
        le=MOST_MINUTES,
        allow_inf_nan=False,
        description=f"How long to train; {DEFAULT_MINUTES:g} where neither this nor the recipe says.",
    )
    recipe: Recipe = Field(
        default_factory=Recipe, description="How to train, where that is to differ from the defaults."
    )

    @model_validator(mode="after")
    def _says_one_length(self) -> "TrainingPlan":
        if self.minutes is not None and self.recipe.minutes is not None:
            raise ValueError("minutes stands beside minutes of the recipe; give one of them")
        if self.recipe.folds is not None:
            raise ValueError(
                "a job keeps pictures apart by itself; leave folds out, or use planimeter train --folds"
            )
        return self

    @field_validator("recipe")
    @classmethod
    def _asks_what_the_machine_can(cls, recipe: Recipe) -> Recipe:
        for name in recipe.model_fields_set:
            value = getattr(recipe, name)
            if isinstance(value, float) and not isfinite(value):
                raise ValueError(f"its {name} is {value}, which is no number")
            most = MOST_OF_RECIPE.get(name)
            if most is not None and value is not None and value > most:
                raise ValueError(f"its {name} is {value:g}; a job has at most {most:g}")
        return recipe

    @property
    def whole_recipe(self) -> Recipe:
        """The recipe with the time that is asked for."""
        given = {"minutes", "epochs"} & self.recipe.model_fields_set
        if given and self.minutes is None:
            return self.recipe
        return self.recipe.model_copy(update={"minutes": self.minutes or DEFAULT_MINUTES})


class Prepared(BaseModel):
    """A plan as it was taken: with all that was open in it decided, so that what happens meanwhile changes nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plan: TrainingPlan
    version: str
    data: Path
    data_name: str
    start: bool
    """Whether there is a model to start from, whose copy lies beside this."""
    title: str = ""
    summary: str = ""
    limitations: str = ""

    def job(
        self, *, work_folder: Path, packs_folder: Path, start: Path, reviewed: Mapping[str, Review]
    ) -> Job:
        """Return what the training itself is told."""
        plan = self.plan
        pack = PackPlan(
            name=plan.name,
            version=self.version,
            title=self.title,
            summary=self.summary,
            limitations=self.limitations,
            data_name=self.data_name,
            shortest_edge=plan.shortest_edge,
            start_from=str(start.absolute()) if self.start else None,
            instead_of_bundled=True,  # it takes nobody's place until a person lets it
            packs_folder=packs_folder,
        )
        return Job(
            data=self.data, plan=pack, recipe=plan.whole_recipe, work_folder=work_folder, reviewed=reviewed
        )


def next_version(version: str) -> str:
    """Return the version after one: 3 after 2, 1.10 after 1.9, a-2 after a."""
    found = re.fullmatch(r"(.*?)(\d{1,9})", version, re.DOTALL)
    after = f"{found[1]}{int(found[2]) + 1}" if found else f"{version}-2"
    return after if len(after) <= 100 else after[-100:]
