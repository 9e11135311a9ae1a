"""Pictures, tables and exports of a service: into memory, or into a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planimeter.client.measurements import MEASUREMENTS
from planimeter.client.transport import Transport, place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Unpack

    from planimeter.client import options as asked

ANYTHING = {"Accept": "*/*"}
To = str | os.PathLike[str]


class Downloads:
    """What is downloaded. A file is written whole or not at all, and replaces one of the same name."""

    _transport: Transport

    def image(self, id_: str) -> bytes:
        """Return the picture of a measurement as it was uploaded."""
        return self._bytes(f"{MEASUREMENTS}{place(id_)}/image", {})

    def overlay(self, id_: str, **options: Unpack[asked.OverlayOptions]) -> bytes:
        """Return the drawn picture, as PNG unless `format` says otherwise."""
        return self._bytes(f"{MEASUREMENTS}{place(id_)}/overlay", options)

    def mask(self, id_: str, **options: Unpack[asked.MaskOptions]) -> bytes:
        """Return the mask as PNG: of all, or with the class or the instance of each pixel."""
        return self._bytes(f"{MEASUREMENTS}{place(id_)}/mask", options)

    def comparison_picture(
        self, first: str, second: str, **options: Unpack[asked.DifferenceOptions]
    ) -> bytes:
        """Return the picture of a comparison."""
        return self._bytes("/comparisons/picture", {"first": first, "second": second, **options})

    def export(self, id_: str, format: str, **options: Unpack[asked.ExportOptions]) -> bytes:  # noqa: A002
        """Return a measurement as a file for another program; docs/exports.md lists the formats."""
        return self._bytes(f"{MEASUREMENTS}{place(id_)}/export", {"format": format, **options})

    def export_many(self, to: To, format: str, **filters: Unpack[asked.ManyExportOptions]) -> Path:  # noqa: A002
        """Write the measurements that match to a file for another program: a json or a zip, as the format has it."""
        return self._transport.save(f"{MEASUREMENTS}/export", {"format": format, **filters}, Path(to))

    def table(self, to: To, **filters: Unpack[asked.TableOptions]) -> Path:
        """Write a table of the measurements that match, as CSV."""
        return self._transport.save(f"{MEASUREMENTS}/csv", filters, Path(to))

    def archive(self, to: To, **filters: Unpack[asked.ArchiveOptions]) -> Path:
        """Write a zip of the pictures of the measurements that match."""
        return self._transport.save(f"{MEASUREMENTS}/zip", filters, Path(to))

    def reviewed_dataset(self, to: To, **options: Unpack[asked.DatasetOptions]) -> Path:
        """Write the pictures that people reviewed to a COCO data set; with the format zip, the pictures too."""
        return self._transport.save("/datasets/reviewed", options, Path(to))

    def _bytes(self, path: str, options: Mapping[str, Any]) -> bytes:
        return self._transport.call("GET", path, options, headers=ANYTHING).body
