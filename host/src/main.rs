//! `exgrpo-host`: trains a language model with ExGRPO, every decision about experience taken by a Wasm policy.

/// Tensors come and go by the megabyte: an allocator that keeps freed pages spares most page faults of a step.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    exgrpo_host::cli::main()
}
