"""Every error that Planimeter raises on purpose.

The core raises them; an edge (REST, page, command line) turns each into its own form. `code` is the stable
name that a program can rely on; the message is a sentence for a person: the value, the limit, what to do.
"""

from typing import ClassVar


class PlanimeterError(Exception):
    """The root: catch this to catch all of them."""

    code: ClassVar[str] = "error"


class InvalidOption(PlanimeterError):
    """An option has a value that it cannot take."""

    code = "invalid_option"


class ContradictoryOptions(InvalidOption):
    """Options that are each possible, but not together."""


class NothingToCount(ContradictoryOptions):
    """No pixel of a picture is left that counts."""

    code = "nothing_to_count"


class CursorGone(PlanimeterError):
    """A list is to go on after a measurement that is gone, in an order of which only that one could tell the place."""

    code = "cursor_gone"


class MissingPicture(PlanimeterError):
    """A request came without a picture, or with an empty one."""

    code = "missing_picture"


class UnsupportedPicture(PlanimeterError):
    """The bytes are not one of the picture formats that are read."""

    code = "unsupported_picture"


class UndecodablePicture(PlanimeterError):
    """The bytes start like a picture, but cannot be decoded."""

    code = "undecodable_picture"


class TooManyBytes(PlanimeterError):
    """The file is larger than the limit on bytes."""

    code = "too_many_bytes"


class TooManyPixels(PlanimeterError):
    """The picture is larger than the limit on pixels or on a side."""

    code = "too_many_pixels"


class UnknownModel(PlanimeterError):
    """No pack has that name."""

    code = "unknown_model"


class UnknownMeasurement(PlanimeterError):
    """No measurement is stored under that id."""

    code = "unknown_measurement"


class UnknownLot(PlanimeterError):
    """No measurement belongs to that lot."""

    code = "unknown_lot"


class ProfileChanged(PlanimeterError):
    """A profile was changed since the one who changes it had seen it."""

    code = "profile_changed"


class UnknownProfile(PlanimeterError):
    """No profile has that name, or no such version."""

    code = "unknown_profile"


class UnknownJob(PlanimeterError):
    """No job has that id."""

    code = "unknown_job"


class WrongJobState(PlanimeterError):
    """A job is in a state in which that cannot be done with it."""

    code = "wrong_job_state"


class TrainingUnavailable(PlanimeterError):
    """The service cannot train: what that needs is not installed, or not possible on this machine."""

    code = "training_unavailable"


class TooFewPictures(PlanimeterError):
    """There are too few labelled pictures for what was asked."""

    code = "too_few_pictures"


class UnknownVersion(UnknownModel):
    """A model has no such version here."""

    code = "unknown_version"


class ScoresNotKept(PlanimeterError):
    """A measurement has no record of what scored below its threshold."""

    code = "scores_not_kept"


class CorrectedMeanwhile(PlanimeterError):
    """A measurement was corrected, or changed, since the one who corrects it had seen it."""

    code = "corrected_meanwhile"


class CountDiffers(PlanimeterError):
    """Not as many measurements match as the request says: deleting many needs their number."""

    code = "count_differs"


class KeyReused(PlanimeterError):
    """The key of a request was given to another request before."""

    code = "key_reused"


class KeyInUse(KeyReused):
    """A request with this key is being worked on."""

    code = "key_in_use"


class TooMany(PlanimeterError):
    """More measurements match than one request can take."""

    code = "too_many"


class DifferentPictures(PlanimeterError):
    """Two measurements that are to be compared are of different pictures."""

    code = "different_pictures"


class UnknownSample(PlanimeterError):
    """No sample picture has that name."""

    code = "unknown_sample"


class InvalidPack(PlanimeterError):
    """A pack is incomplete, damaged, or of a schema that this version does not read."""

    code = "invalid_pack"


class ModelsBusy(PlanimeterError):
    """Others are changing the models in a packs folder."""

    code = "models_busy"


class ImportRefused(PlanimeterError):
    """A model that was made elsewhere cannot be made into a pack."""

    code = "import_refused"


class RuntimeUnavailable(PlanimeterError):
    """The runtime, device or precision that was asked for is not there."""

    code = "runtime_unavailable"


class InferenceFailed(PlanimeterError):
    """The network answered with something that is not a detection (no mask, a non-finite number)."""

    code = "inference_failed"


class QueueFull(PlanimeterError):
    """Too many pictures are waiting for the model."""

    code = "queue_full"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds after which trying again makes sense."""


class TooManyRequests(PlanimeterError):
    """One key, or one address, sent more requests than the service takes from one."""

    code = "too_many_requests"

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds after which trying again makes sense."""


class DeadlineExceeded(PlanimeterError):
    """The picture waited longer than the deadline."""

    code = "deadline_exceeded"


class ClientGone(PlanimeterError):
    """The client left before its picture was measured."""

    code = "client_gone"


class NotReady(PlanimeterError):
    """The service cannot measure now: no model is loaded, or the store cannot be written."""

    code = "not_ready"


class StoreFailed(PlanimeterError):
    """The measurement could not be stored; nothing of it was kept."""

    code = "store_failed"


class FileGone(StoreFailed):
    """A file of a measurement is not where it was stored, or cannot be read there."""


class NoRoom(StoreFailed):
    """There is no room left to store anything: a limit is reached, or the disk is full."""

    code = "no_room"


class Unreachable(PlanimeterError):
    """Another machine, or a program on this one, gave no answer to what was sent to it."""

    code = "unreachable"


class ServiceAnswered(PlanimeterError):
    """A service answered an error that has no class of its own here: no key, no right, or a defect of its own."""

    code = "service_answered"

    def __init__(self, message: str, *, code: str, status: int) -> None:
        super().__init__(message)
        self.code = code  # type: ignore[misc]
        """As the service named it: unauthorized, forbidden, internal_error and so on."""
        self.status = status
        """Of the HTTP answer."""


class TunnelFailed(PlanimeterError):
    """The public address could not be opened."""

    code = "tunnel_failed"


class DataError(PlanimeterError):
    """Labelled pictures cannot be used as they are."""

    code = "invalid_data"


class TrainingError(PlanimeterError):
    """Training cannot start or go on."""

    code = "training_failed"
