//! What this engine promises beyond what every engine must do.
