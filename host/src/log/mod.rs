//! The run log: the only place that names arrow and parquet for writing runs.
