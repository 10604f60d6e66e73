//! The only place that names wasmtime: loads policies, calls them under limits, swaps them.
