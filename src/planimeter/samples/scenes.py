"""The scenes of the samples that come with the package, and what each is called."""

from dataclasses import dataclass

from planimeter.samples.fluorescence import Scene, draw_scene
from planimeter.samples.picture import Picture
from planimeter.samples.surfaces import SteelScene, TileScene, draw_steel, draw_tile


@dataclass(frozen=True)
class Named:
    """A scene, its title, and the model whose classes it shows."""

    model: str
    title: str
    scene: Scene | SteelScene | TileScene

    def draw(self) -> Picture:
        """Return the picture of the scene."""
        if isinstance(self.scene, SteelScene):
            return draw_steel(self.scene)
        if isinstance(self.scene, TileScene):
            return draw_tile(self.scene)
        return draw_scene(self.scene)


SCENES = {
    "nuclei-culture": Named("nuclei", "Cell culture", Scene(
        seed=4, height=480, width=640, nuclei=96, radius=(10.5, 15.0), elongation=(1.1, 1.65), bend=0.1,
        touching=0.3, light=(420.0, 1000.0), mitotic=0.05,
    )),
    "nuclei-dense": Named("nuclei", "Dense culture", Scene(
        seed=11, height=512, width=512, nuclei=210, radius=(9.0, 13.5), elongation=(1.05, 1.7), bend=0.12,
        touching=0.65, light=(320.0, 1100.0), mitotic=0.04, background=80.0,
    )),
    "nuclei-large": Named("nuclei", "Large nuclei", Scene(
        seed=7, height=480, width=640, nuclei=40, radius=(19.0, 27.0), elongation=(1.2, 1.75), bend=0.3,
        touching=0.15, light=(380.0, 700.0), background=50.0, blur=1.4,
    )),
    "steel-scratches": Named("steel", "Scratched strip", SteelScene(
        seed=3, height=240, width=320, scratches=4, inclusions=2,
    )),
    "steel-patches": Named("steel", "Patchy strip", SteelScene(seed=5, height=240, width=320, patches=5)),
    "tile-holes": Named("tiles", "Tile with blowholes", TileScene(
        seed=2, height=380, width=260, blowholes=4, cracks=1,
    )),
    "tile-cracks": Named("tiles", "Cracked tile", TileScene(seed=6, height=380, width=260, cracks=2)),
}  # fmt: skip
