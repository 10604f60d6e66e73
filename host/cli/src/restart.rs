//! Starting the process again for an engine that wants another environment.

/// candle 0.11 runs elementwise operations on a pool that spins while its worker waits for a core; on few cores that
/// costs several times what it gives, and only an environment variable that is read at the first operation turns it
/// off. A process that was started without the variable starts itself again with it; nothing must have been written
/// by then.
pub(super) fn without_spinning_pool() {
    const VARIABLE: &str = "CANDLE_NUM_THREADS";
    if std::env::var_os(VARIABLE).is_some() {
        return;
    }
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        let Ok(program) = std::env::current_exe() else { return };
        // `exec` only comes back when it failed; then the run is slower, not wrong.
        let _ =
            std::process::Command::new(program).args(std::env::args_os().skip(1)).env(VARIABLE, "1").exec();
    }
}
