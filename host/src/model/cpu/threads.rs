//! The threads that an Actor computes on.

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
