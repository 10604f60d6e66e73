"""Opens every part of a run with pyarrow, Polars and DuckDB, and checks that they see the same.

    python tests/python/open_all.py RUN_DIR
"""

import sys
from pathlib import Path

import duckdb
import polars
import pyarrow
import pyarrow.parquet

TABLES = ["experiences", "decisions", "problems", "events", "metrics"]


def check_part(table: str, part: Path) -> int:
    """Number of rows; raises when a reader fails or two of them disagree."""
    with pyarrow.parquet.ParquetFile(part) as file:
        metadata = file.metadata.metadata
        seen = {"pyarrow": (file.read().num_rows, file.schema_arrow.names)}
        fields = list(file.schema_arrow)
    if metadata.get(b"exgrpo.table") != table.encode():
        raise ValueError(f"exgrpo.table is {metadata.get(b'exgrpo.table')}")
    if b"exgrpo.schema_version" not in metadata:
        raise ValueError("there is no exgrpo.schema_version")
    undocumented = [field.name for field in fields if b"doc" not in (field.metadata or {})]
    if undocumented:
        raise ValueError(f"columns without documentation: {undocumented}")
    frame = polars.read_parquet(part)
    seen["polars"] = (frame.height, frame.columns)
    relation = duckdb.sql("from read_parquet(?)", params=[str(part)])
    seen["duckdb"] = (len(relation.fetchall()), relation.columns)
    if len({(rows, tuple(columns)) for rows, columns in seen.values()}) > 1:
        raise ValueError(f"readers disagree: {seen}")
    return frame.height


def main(run_dir: Path) -> int:
    num_broken = 0
    for table in TABLES:
        parts = sorted((run_dir / table).glob("*.parquet"))
        num_rows = 0
        for part in parts:
            try:
                num_rows += check_part(table, part)
            except Exception as error:
                num_broken += 1
                print(f"{part}: {error}", file=sys.stderr)
        print(f"{table:12} {len(parts):6} parts {num_rows:9} rows")
    if not list((run_dir / "metrics").glob("*.parquet")):
        print(f"{run_dir} holds no metrics: it is no run, or one without a finished step", file=sys.stderr)
        return 1
    return 1 if num_broken else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1])))
