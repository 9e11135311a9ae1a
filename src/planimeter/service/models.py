"""The models that this service can measure with: found by name, each loaded once."""

import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from planimeter.errors import UnknownModel
from planimeter.measuring.opening import open_segmenter
from planimeter.measuring.segmenter import Segmenter
from planimeter.packs.manifest import PALETTE
from planimeter.packs.pack import MANIFEST, Pack, colors_of, find_packs, read_pack
from planimeter.settings import Settings


def load_pack(pack: Pack, settings: Settings) -> Segmenter:
    """Return the segmenter of a pack as the settings ask for it."""
    return open_segmenter(pack, settings)


def _is_same(one: Pack, other: Pack) -> bool:
    return one.manifest == other.manifest


class Models:
    """All packs by name, and the segmenters made of them so far. Safe to use from many threads."""

    def __init__(
        self,
        settings: Settings,
        *,
        find: Callable[[Path | None], dict[str, Pack]] = find_packs,
        load: Callable[[Pack, Settings], Segmenter] = load_pack,
    ) -> None:
        self._settings = settings
        self._find = find
        self._load = load
        self._segmenters: dict[str, Segmenter] = {}
        self._loading = threading.Lock()
        self._looking = threading.RLock()
        """Held while packs are looked for, and while one takes the place of another."""
        self._seen_used: dict[str, int] = {}
        """How often each network had run when it was last looked at."""
        self._rested: dict[str, int] = {}
        """And when it last gave memory back."""

    def packs(self) -> dict[str, Pack]:
        """Return every pack by name; looks again each time, so a model trained meanwhile is there."""
        with self._looking:
            packs = self._find(self._settings.packs_folder)
        chosen = Path(self._settings.model)
        if self._settings.model not in packs and (chosen / MANIFEST).is_file():
            pack = read_pack(chosen)
            packs[pack.name] = pack
        return packs

    def try_out(self, new: Pack) -> None:
        """Load a pack that is to answer for its name; raises what loading it raises."""
        self._load(new, self._settings)

    def exchange(self, replace: Callable[[], None]) -> None:
        """Let one pack take the place of another by what `replace` does, while nobody here looks for packs."""
        with self._looking:
            replace()

    @property
    def default(self) -> str:
        """The name of the model that measures where a request names none."""
        name = self._settings.model
        if (Path(name) / MANIFEST).is_file() and name not in self._find(self._settings.packs_folder):
            return read_pack(Path(name)).name
        return name

    @property
    def ready(self) -> bool:
        """Whether the default model is loaded."""
        return self.default in self._segmenters

    def find(self, name: str) -> Pack:
        """Return the pack called `name`; raises `UnknownModel`. A name is never taken for a folder here."""
        packs = self.packs()
        if name not in packs:
            raise UnknownModel(f"there is no model {name!r}; known: {', '.join(packs) or 'none'}")
        return packs[name]

    def get(self, name: str | None = None) -> Segmenter:
        """Return the segmenter called `name`, or the default one; the first call loads it.

        So does the first one after a pack was replaced, trained again for example: a model is known by its name and
        by what its manifest says, the hash of its network among it.
        """
        wanted = name or self.default
        pack = self.find(wanted)
        segmenter = self._segmenters.get(wanted)
        if segmenter is not None and _is_same(segmenter.pack, pack):
            return segmenter
        with self._loading:
            segmenter = self._segmenters.get(wanted)
            if segmenter is None or not _is_same(segmenter.pack, pack):
                segmenter = self._segmenters[wanted] = self._load(pack, self._settings)
        return segmenter

    def rest_idle(self) -> None:
        """Have each model give back the memory of its network that measured nothing since the last call."""
        for name, segmenter in list(self._segmenters.items()):
            used = segmenter.used
            if used and used == self._seen_used.get(name) and used != self._rested.get(name):
                segmenter.rest()
                self._rested[name] = used
            self._seen_used[name] = used

    def class_colors(self, names: Iterable[str]) -> dict[str, str]:
        """Return a colour for each class name: of the first pack that knows it, else one of the palette."""
        known = {
            entry.name: entry.color
            for pack in reversed(self.packs().values())
            for entry in pack.manifest.classes
        }
        return {
            name: known.get(name, PALETTE[index % len(PALETTE)]) for index, name in enumerate(sorted(names))
        }

    def colors(self, name: str, classes: int) -> tuple[str, ...]:
        """Return one colour per class: the pack's, or a palette where the pack is gone."""
        return colors_of(self.packs(), name, classes)
