//! The host's binary once more, so that these tests can start, kill and resume a process of it.

fn main() -> std::process::ExitCode {
    exgrpo_host::main()
}
