//! Write an exgrpo policy.
