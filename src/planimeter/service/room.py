"""Room for one more measurement: below the limit on stored bytes."""

from planimeter.errors import NoRoom
from planimeter.service.context import Context


def refuse_without_room(parts: Context) -> None:
    """Raise `NoRoom` where as much is stored as may be; what is being measured meanwhile may come on top of it."""
    most = parts.settings.most_gb
    if most is None:
        return
    stored = parts.store.stored_bytes() / 1e9
    if stored >= most:
        raise NoRoom(
            f"{stored:,.3f} GB are stored, and --most-gb allows {most:g}: empty the trash, delete measurements for "
            "good, or start the service with more"
        )
