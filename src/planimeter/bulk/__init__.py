"""Pictures by the million: keys in, Parquet out, on one machine or on a Ray cluster."""
