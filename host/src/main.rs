//! exgrpo-host.
fn main() {}
