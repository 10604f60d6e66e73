"""Rows of a run by step, and the list of what was compared with them."""

from collections import Counter, defaultdict
from pathlib import Path

import pyarrow.parquet

TABLES = ["experiences", "decisions", "problems", "events", "metrics"]


def rows_of(run_dir: Path, table: str) -> dict[int, list[dict]]:
    """Rows by step."""
    rows = defaultdict(list)
    for part in sorted((run_dir / table).glob("part-*.parquet")):
        for row in pyarrow.parquet.read_table(part).to_pylist():
            rows[row["step"]].append(row)
    return rows


class Comparison:
    """What was compared, by kind, and what differs."""

    def __init__(self):
        self.compared, self.differences = Counter(), []

    def equal(self, kind: str, place: str, there, here, tolerance: float = 0.0) -> None:
        self.compared[kind] += 1
        if isinstance(there, float) and isinstance(here, float) and there != here:
            if abs(there - here) <= tolerance * max(1.0, abs(there), abs(here)):
                return
        elif there == here:
            return
        self.differences.append((kind, place, there, here))
