"""What a picture is, for schemathesis: the document can say no more of one than that it is bytes, or base64.

Loaded by name, see `test_schema.py`. All pictures that it sends as valid ones are real; what it makes of them to be
refused is its own.
"""

import base64

import schemathesis
from hypothesis import strategies

from fakes import Box, blocks, encoded
from planimeter.service.api.openapi import PICTURE_TYPES

_BOXES: tuple[Box | None, ...] = (None, (0, 0, 8, 8), (16, 16, 32, 24))
_PICTURES = [
    encoded(blocks(red=red, width=side, height=32), kind)
    for kind in ("PNG", "JPEG", "WEBP", "TIFF")
    for side in (32, 48)
    for red in _BOXES
]
pictures = strategies.sampled_from(_PICTURES)

for media_type in PICTURE_TYPES:
    schemathesis.openapi.media_type(media_type, pictures)
schemathesis.openapi.format("binary", pictures)
schemathesis.openapi.format("byte", pictures.map(lambda data: base64.b64encode(data).decode()))

_REGIONS = ['{"include": [[[0, 0], [20, 0], [20, 20]]]}', '{"exclude": [[[4, 4], [20, 4], [20, 20]]]}']
_LABELS = '<Label value="red"/><Label value="green"/>'
_CONFIGS = [
    f'<View><Image name="image" value="$image"/><{kind}Labels name="tag" toName="image">{_LABELS}</{kind}Labels></View>'
    for kind in ("Brush", "Polygon")
]
schemathesis.openapi.format("label-config", strategies.sampled_from(_CONFIGS))
_URLS = [f"data:image/png;base64,{base64.b64encode(data).decode()}" for data in _PICTURES]
schemathesis.openapi.format("picture-url", strategies.sampled_from(_URLS))
schemathesis.openapi.format("region", strategies.sampled_from(_REGIONS))
