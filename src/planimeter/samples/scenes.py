"""The scenes of the samples that come with the package."""

from planimeter.samples.fluorescence import Scene

SCENES = {
    "nuclei-culture": Scene(
        seed=4, height=480, width=640, nuclei=96, radius=(10.5, 15.0), elongation=(1.1, 1.65), bend=0.1,
        touching=0.3, light=(420.0, 1000.0), mitotic=0.05,
    ),
    "nuclei-dense": Scene(
        seed=11, height=512, width=512, nuclei=210, radius=(9.0, 13.5), elongation=(1.05, 1.7), bend=0.12,
        touching=0.65, light=(320.0, 1100.0), mitotic=0.04, background=80.0,
    ),
    "nuclei-large": Scene(
        seed=7, height=480, width=640, nuclei=40, radius=(19.0, 27.0), elongation=(1.2, 1.75), bend=0.3,
        touching=0.15, light=(380.0, 700.0), background=50.0, blur=1.4,
    ),
}  # fmt: skip

TITLES = {
    "nuclei-culture": "Cell culture",
    "nuclei-dense": "Dense culture",
    "nuclei-large": "Large nuclei",
}
