"""Which running service a command asks, and which of its measurements."""

from pydantic import BaseModel, ConfigDict, Field

from planimeter.client import Client
from planimeter.client.options import FilterOptions


class ServiceOptions(BaseModel):
    """A running service."""

    model_config = ConfigDict(frozen=True)

    service: str = Field("http://127.0.0.1:8000", description="Address of the service.")
    key: str | None = Field(
        None,
        description="Key for a service that asks for one. Better in the environment variable: others on this machine "
        "can see what stands on a command line.",
    )

    def client(self) -> Client:
        """Return what asks it; raises `InvalidOption`."""
        return Client(self.service, self.key)


class ChosenOptions(BaseModel):
    """Some of its measurements."""

    model_config = ConfigDict(frozen=True)

    batch: str | None = Field(None, description="Only those sent under this name.")
    lot: str | None = Field(None, description="Only those of this lot.")
    model: str | None = Field(None, description="Only those of this model.")

    @property
    def filters(self) -> FilterOptions:
        """As the client takes them."""
        return FilterOptions(batch=self.batch, lot=self.lot, model=self.model)
