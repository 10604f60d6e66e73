//! exgrpo host.
