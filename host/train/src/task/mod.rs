//! Tasks that ship with exgrpo.

pub mod arithmetic;
