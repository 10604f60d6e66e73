//! A policy with memory: its bucket weights are the number of times that it was asked for them.

use std::cell::Cell;

use exgrpo_guest_sdk::{Policy, PolicyError, Result, Sampling, State, parameters};

parameters! {
    /// When it stops to work.
    pub struct Settings {
        /// First step at which it panics, after having counted.
        panic_from: u32 = 4_000_000_000;
        /// Mark of the snapshots that it writes and the only ones that it takes.
        format: u32 = 1;
    }
}

/// See the crate's documentation.
pub struct Counter {
    settings: Settings,
    calls: Cell<u32>,
}

impl Policy for Counter {
    type Parameters = Settings;

    fn new(settings: Settings) -> Result<Self> {
        Ok(Self { settings, calls: Cell::new(0) })
    }
}

impl Sampling for Counter {
    fn bucket_weights(&self, counts: &[u32], _group_size: u32, step: u32) -> Result<Vec<f32>> {
        self.calls.set(self.calls.get() + 1);
        assert!(step < self.settings.panic_from, "stopped at step {step}");
        Ok(vec![self.calls.get() as f32; counts.len()])
    }
}

impl State for Counter {
    fn snapshot(&self) -> Result<Vec<u8>> {
        Ok([self.settings.format.to_le_bytes(), self.calls.get().to_le_bytes()].concat())
    }

    fn restore(&self, data: &[u8]) -> Result<()> {
        match data.strip_prefix(&self.settings.format.to_le_bytes()).map(TryInto::try_into) {
            Some(Ok(calls)) => {
                self.calls.set(u32::from_le_bytes(calls));
                Ok(())
            }
            _ => Err(PolicyError::Failed("a snapshot of another format".to_owned())),
        }
    }
}

exgrpo_guest_sdk::export!(Counter: Sampling, State);
