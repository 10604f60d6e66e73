//! On-policy baseline.
