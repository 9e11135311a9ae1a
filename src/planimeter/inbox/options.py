"""How a folder is watched."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

DONE, FAILED = "done", "failed"
LONGEST_POLL = 3600.0
LONGEST_PATIENCE = 86_400.0


class InboxOptions(BaseModel):
    """How a folder is watched, and what is asked of its pictures."""

    model_config = ConfigDict(frozen=True)

    service: str = Field("http://127.0.0.1:8000", description="Address of the service that measures.")
    key: str | None = Field(
        None,
        description="Key for a service that asks for one. Better in the environment variable: others on this machine "
        "can see what stands on a command line.",
    )
    profile: str | None = Field(None, description="Name of the profile to measure with.")
    model: str | None = Field(None, description="Name of the model; without it, the default of the service.")
    score_threshold: float | None = Field(
        None, ge=0, le=1, allow_inf_nan=False, description="Leave out instances below it."
    )
    done: Path | None = Field(
        None, description=f"Where measured pictures are moved; {DONE} in the watched folder without it."
    )
    failed: Path | None = Field(
        None,
        description=f"Where pictures that the service refuses are moved, each with a .json that says why; {FAILED} in "
        "the watched folder without it.",
    )
    poll: float = Field(
        1.0,
        ge=0.05,
        le=LONGEST_POLL,
        allow_inf_nan=False,
        description="Seconds between two looks at the folder.",
    )
    settle: float = Field(
        2.0,
        ge=0,
        le=LONGEST_POLL,
        allow_inf_nan=False,
        description="Seconds for which the size and the time of a file must not change before it is taken.",
    )
    patience: float = Field(
        60.0,
        ge=0,
        le=LONGEST_PATIENCE,
        allow_inf_nan=False,
        description="Seconds for which a picture that cannot be read must not change before it is moved to --failed: "
        "whoever writes it may only be stalling, and it is measured as soon as it is complete.",
    )
    subfolders: bool = Field(default=False, description="Take the pictures of folders inside it too.")

    @field_validator("profile", "model")
    @classmethod
    def _is_named(cls, value: str | None) -> str | None:
        if value == "":  # a variable of a shell that nobody set
            raise ValueError(
                "is empty, and pictures would be measured otherwise: leave it out, or give a name"
            )
        return value
