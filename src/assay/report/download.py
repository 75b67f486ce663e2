"""A study's observations for download as Parquet; the same table gives the same bytes."""

import io

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from assay.evidence.tables import COLUMNS


def parquet(observations: pd.DataFrame) -> bytes:
    """The observations as one Parquet file. x is a number where all coordinates are, text where any is a name, null for none."""
    numeric = pd.api.types.is_float_dtype(observations["x"])
    kinds = {"seed": pa.int64(), "value": pa.float64(), "x": pa.float64() if numeric else pa.string()}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(observations, schema, preserve_index=False).replace_schema_metadata(), stream)
    return stream.getvalue()
