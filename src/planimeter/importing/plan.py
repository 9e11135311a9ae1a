"""What a user may say about a model that was made elsewhere, whatever its kind."""

from pydantic import Field, field_validator

from planimeter.errors import ImportRefused
from planimeter.packs.manifest import NAME_PATTERN, PALETTE, PackClass
from planimeter.packs.pack import bundled_names
from planimeter.packs.packing import NewPack

BUNDLED_NAME = (
    "{name} is the name of a model that comes with Planimeter, and requests that name it mean that one; give yours "
    "another"
)


def refuse_bundled_name(name: str) -> None:
    """Raise `ImportRefused` for the name of a bundled model, which a foreign one must not take over."""
    if name in bundled_names():
        raise ImportRefused(BUNDLED_NAME.format(name=name))


class ImportPlan(NewPack):
    """What the pack will be called, and what its file does not say."""

    name: str = Field("imported", pattern=NAME_PATTERN, description="Name of the new model.")
    classes: str = Field(
        "", description="Names of the classes in the network's order, with commas between them."
    )

    @field_validator("name")
    @classmethod
    def _not_bundled(cls, name: str) -> str:
        if name in bundled_names():
            raise ValueError(BUNDLED_NAME.format(name=name))
        return name

    @property
    def class_names(self) -> list[str]:
        """The names that were given; none where none were."""
        return [name.strip() for name in self.classes.split(",")] if self.classes.strip() else []


def name_classes(plan: ImportPlan, count: int, known: list[str] | None) -> tuple[PackClass, ...]:
    """Return the `count` classes by the names that the plan gives, else by `known` ones, else by number."""
    names = plan.class_names or known or [f"class {number}" for number in range(1, count + 1)]
    if len(names) != count:
        raise ImportRefused(
            f"--classes names {len(names)} classes ({', '.join(names)}), but the network tells {count} apart"
        )
    if "" in names or len(set(names)) < count:
        raise ImportRefused(f"--classes must give each class a name of its own, not {', '.join(names)}")
    return tuple(
        PackClass(name=name, color=PALETTE[index % len(PALETTE)]) for index, name in enumerate(names)
    )


def default_threshold(plan: ImportPlan, score_floor: float) -> float:
    """Return the score threshold that the pack starts with."""
    return max(0.5, score_floor) if plan.score_threshold is None else plan.score_threshold
