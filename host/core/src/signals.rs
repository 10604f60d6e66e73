//! Being asked to stop, by Ctrl-C or SIGTERM.
//!
//! The signal handler itself sets a flag, and ends the process when the flag is set already: no thread has to be free
//! for a signal to be heard. Before [`listen`] is called the system's default holds, which ends the process at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::Context;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// Exit code of a process that was asked to stop, by whichever signal: what it did can be resumed.
pub const INTERRUPTED: u8 = 130;

/// What the handlers look at and set.
struct Flags {
    /// Somebody asked the process to stop.
    asked: Arc<AtomicBool>,
    /// The next signal ends the process.
    is_last: Arc<AtomicBool>,
}

static FLAGS: OnceLock<Flags> = OnceLock::new();

/// From now on a first signal sets the flag that [`stop_asked`] reads, and a second one, of either kind, ends the
/// process at once with [`INTERRUPTED`]. Does nothing when called again.
///
/// # Errors
/// The system refuses handlers.
pub fn listen() -> anyhow::Result<()> {
    let (asked, is_last) = (Arc::default(), Arc::default());
    let flags = Flags { asked: Arc::clone(&asked), is_last: Arc::clone(&is_last) };
    if FLAGS.set(flags).is_err() {
        return Ok(());
    }
    for signal in [SIGINT, SIGTERM] {
        // Actions run in the order in which they are registered: the exit looks at its flag before that is set.
        flag::register_conditional_shutdown(signal, INTERRUPTED.into(), Arc::clone(&is_last))
            .and_then(|_| flag::register(signal, Arc::clone(&asked)))
            .and_then(|_| flag::register(signal, Arc::clone(&is_last)))
            .with_context(|| format!("can't listen for signal {signal}"))?;
    }
    Ok(())
}

/// From now on signals that ask to stop do nothing: for a process whose parent ends it.
///
/// # Errors
/// The system refuses handlers.
pub fn leave_to_parent() -> anyhow::Result<()> {
    let nobody_looks = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register(signal, Arc::clone(&nobody_looks))
            .with_context(|| format!("can't listen for signal {signal}"))?;
    }
    Ok(())
}

/// True once somebody asked the process to stop.
pub fn stop_asked() -> bool {
    FLAGS.get().is_some_and(|flags| flags.asked.load(Ordering::SeqCst))
}

/// While it lives, already the first signal ends the process at once with [`INTERRUPTED`].
#[derive(Debug)]
pub struct NothingToLose(());

/// Says that until the answer is dropped nothing is under way that a signal would have to wait for.
pub fn nothing_to_lose() -> NothingToLose {
    if let Some(flags) = FLAGS.get() {
        flags.is_last.store(true, Ordering::SeqCst);
    }
    NothingToLose(())
}

impl Drop for NothingToLose {
    fn drop(&mut self) {
        // A signal that came before it began stands: the next is the second.
        if let Some(flags) = FLAGS.get().filter(|flags| !flags.asked.load(Ordering::SeqCst)) {
            flags.is_last.store(false, Ordering::SeqCst);
        }
    }
}
