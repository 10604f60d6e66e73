//! `exgrpo-host`: trains a language model with ExGRPO, every decision about experience taken by a Wasm policy.

fn main() -> std::process::ExitCode {
    exgrpo_host::main()
}
