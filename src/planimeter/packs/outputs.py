"""The names of what a network that was built here answers."""

OUTPUTS = ("boxes", "labels", "scores", "masks")
PIXELS = "pixels"
"""The output that only a network with a pixel branch has."""
TEXTURE = "texture"
"""What its first layers see."""
