"""Parts of stored pictures from folders, through a real server; those of an object store are in test_objects.py."""

import json
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from fakes import blocks, encoded
from serving import serve

SMALL = encoded(blocks(red=(0, 0, 32, 32)), "BMP")
LARGE = encoded(blocks(red=(0, 0, 32, 32), width=512, height=512), "BMP")
"""Sent from the disk, piece by piece."""


@pytest.mark.parametrize("picture", [SMALL, LARGE])
def test_a_part_of_a_stored_picture_is_sent(tmp_path: Path, picture: bytes) -> None:
    size = len(picture)
    parts = (("0-53", 0, 54), ("100-", 100, size), (f"100-{size + 9}", 100, size), ("-9", size - 9, size))
    with (
        serve(tmp_path) as address,
        closing(HTTPConnection(urlsplit(address).netloc, timeout=60)) as connection,
    ):
        connection.request("POST", "/api/v1/measurements", picture, {"Content-Type": "image/bmp"})
        url = f"/api/v1/measurements/{json.loads(connection.getresponse().read())['id']}/image"
        for asked, first, stop in parts:
            connection.request("GET", url, headers={"Range": f"bytes={asked}"})
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (206, picture[first:stop]), asked
            assert answer.headers["Content-Range"] == f"bytes {first}-{stop - 1}/{size}"
            assert answer.headers["Content-Length"] == str(stop - first)
        for method, body in (("HEAD", b""), ("GET", picture)):
            connection.request(method, url)
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, body)
            assert answer.headers["Content-Length"] == str(size)
            assert answer.headers["Accept-Ranges"] == "bytes"
