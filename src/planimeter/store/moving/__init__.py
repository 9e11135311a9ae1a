"""A store moved to another database and other folders: copied, compared, and only then fit to be served.

The source stays as it is. Nothing is noted of how far a move is: what is there already is compared with the source, so
one that was killed at any moment goes on, and one that is begun again after the source changed takes the changes.
"""

from planimeter.store.moving.move import Moved, Places, move
from planimeter.store.moving.records import Tell

__all__ = ["Moved", "Places", "Tell", "move"]
