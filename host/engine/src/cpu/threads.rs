//! The threads that an Actor computes on.

use std::error::Error;

use anyhow::Context;

/// Threads of the engine.
#[derive(Debug)]
pub(super) enum Threads {
    /// The process's pool.
    Shared,
    /// A pool of the Actor's own.
    Own(rayon::ThreadPool),
}

impl Threads {
    /// `count` threads; 0 shares the process's pool.
    pub(super) fn new(count: usize) -> anyhow::Result<Self> {
        if count == 0 {
            start_shared()?;
            return Ok(Self::Shared);
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(count)
            .thread_name(|index| format!("engine-{index}"))
            .build()
            .with_context(|| format!("can't start {count} threads for the engine"))?;
        Ok(Self::Own(pool))
    }

    /// Runs `work` on one of the threads, so that its parallel loops run on all of them and need no hand-over from
    /// outside.
    pub(super) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match self {
            Self::Shared => rayon::scope(|_| work()),
            Self::Own(pool) => pool.install(work),
        }
    }
}

/// Starts the process's pool if it isn't running yet. Left to its first use, threads that the system doesn't give would
/// be a panic.
fn start_shared() -> anyhow::Result<()> {
    match rayon::ThreadPoolBuilder::new().build_global() {
        // Without a cause it only says that the pool is there already.
        Err(error) if error.source().is_some() => Err(error).context(
            "can't start a thread a core\nhint: RAYON_NUM_THREADS=1 needs one, and less address space",
        ),
        _ => Ok(()),
    }
}
