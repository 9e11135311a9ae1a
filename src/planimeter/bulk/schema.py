"""The two tables, as they lie in Parquet: see docs/bulk.md. Others read them, so columns are only ever added."""

from io import BytesIO
from typing import Any

from planimeter.errors import RuntimeUnavailable, StoreFailed

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ModuleNotFoundError as error:
    raise RuntimeUnavailable(
        "tables in Parquet need pyarrow: pip install '.[parquet]' in the clone"
    ) from error

VERSION = 1
Row = dict[str, Any]

_NOTE = pa.struct([("code", pa.string()), ("message", pa.string())])
_CLASS = pa.struct(
    [
        ("class", pa.string()),
        ("class_id", pa.int32()),
        ("count", pa.int32()),
        ("pixels_masked", pa.int64()),
        ("percent_masked", pa.float64()),
        ("percent_low", pa.float64()),
        ("percent_high", pa.float64()),
        ("area_masked_um2", pa.float64()),
    ]
)
_RULE = pa.struct(
    [("rule", pa.string()), ("verdict", pa.string()), ("value", pa.float64()), ("reason", pa.string())]
)


def _schema(table: str, fields: list[tuple[str, pa.DataType]]) -> pa.Schema:
    said = {"planimeter_table": table, "planimeter_schema": str(VERSION)}
    return pa.schema(fields, metadata=said)


MEASUREMENTS = _schema(
    "measurements",
    [
        ("key", pa.string()),
        ("sha256", pa.string()),
        ("format", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("percent_of", pa.string()),
        ("percent_masked", pa.float64()),
        ("percent_low", pa.float64()),
        ("percent_high", pa.float64()),
        ("interval_level", pa.float64()),
        ("pixels_masked", pa.int64()),
        ("pixels_counted", pa.int64()),
        ("pixels_overlapping", pa.int64()),
        ("instances", pa.int32()),
        ("by_class", pa.list_(_CLASS)),
        ("pixel_width_um", pa.float64()),
        ("pixel_height_um", pa.float64()),
        ("pixel_size_source", pa.string()),
        ("area_masked_um2", pa.float64()),
        ("instances_per_mm2", pa.float64()),
        ("model", pa.string()),
        ("model_version", pa.string()),
        ("model_sha256", pa.string()),
        ("runtime", pa.string()),
        ("precision", pa.string()),
        ("device", pa.string()),
        ("passes", pa.int32()),
        ("score_threshold", pa.float64()),
        ("profile", pa.string()),
        ("profile_version", pa.int32()),
        ("verdict", pa.string()),
        ("rules", pa.list_(_RULE)),
        ("notes", pa.list_(_NOTE)),
        ("lot", pa.string()),
        ("sample", pa.string()),
        ("operator", pa.string()),
        ("note", pa.string()),
        ("tags", pa.list_(pa.string())),
        ("error_code", pa.string()),
        ("error", pa.string()),
        ("measured_at", pa.timestamp("ms", tz="UTC")),
        ("ms", pa.float64()),
        ("document", pa.string()),
        ("candidates", pa.binary()),
    ],
)
INSTANCES = _schema(
    "instances",
    [
        ("key", pa.string()),
        ("id", pa.int32()),
        ("class", pa.string()),
        ("class_id", pa.int32()),
        ("score", pa.float64()),
        ("bbox", pa.list_(pa.float64())),
        ("area_px", pa.int64()),
        ("percent", pa.float64()),
        ("area_um2", pa.float64()),
        ("rle_size", pa.list_(pa.int32())),
        ("rle_counts", pa.string()),
    ],
)


def to_parquet(rows: list[Row], schema: pa.Schema) -> bytes:
    """Return rows as the bytes of a Parquet file."""
    stream = BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), stream, compression="zstd")
    return stream.getvalue()


def read_columns(data: bytes, columns: list[str], name: str) -> list[Row]:
    """Return some columns of a Parquet file as rows; `name` is what an error calls it.

    A column that came with a later version than wrote the file is None in each row.
    """
    try:
        file = pq.ParquetFile(BytesIO(data))
        there = [column for column in columns if column == "key" or column in file.schema_arrow.names]
        rows = file.read(columns=there).to_pylist()
    except (pa.ArrowException, OSError, KeyError) as error:
        raise StoreFailed(f"{name} is no table of measurements: {error}") from error
    if rows and "key" in columns and "key" not in rows[0]:
        raise StoreFailed(f"{name} is no table of measurements: it has no column key")
    return [dict.fromkeys(columns) | row for row in rows]
