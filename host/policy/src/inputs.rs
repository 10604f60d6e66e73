//! Digest of a call's arguments, so that two runs can be compared decision by decision.

use sha2::{Digest as _, Sha256};

use super::VerifyRequest;
use exgrpo_core::columns::{Column, ProblemColumns, TrajectoryColumns};
use exgrpo_core::sealed;

/// SHA-256 over arguments in a fixed byte form: little-endian numbers, every list and text preceded by its length.
pub(super) struct InputsDigest(Sha256);

macro_rules! list {
    ($name:ident, $type:ty) => {
        pub(super) fn $name(mut self, values: &[$type]) -> Self {
            self.0.update((values.len() as u64).to_le_bytes());
            let mut bytes = Vec::with_capacity(4096);
            for chunk in values.chunks(512) {
                bytes.clear();
                for value in chunk {
                    bytes.extend_from_slice(&value.to_le_bytes());
                }
                self.0.update(&bytes);
            }
            self
        }
    };
}

impl InputsDigest {
    pub(super) fn new() -> Self {
        Self(Sha256::new())
    }

    list!(u32s, u32);
    list!(u64s, u64);
    list!(f32s, f32);

    pub(super) fn text(mut self, text: &str) -> Self {
        self.0.update((text.len() as u64).to_le_bytes());
        self.0.update(text.as_bytes());
        self
    }

    fn extra(mut self, extra: &[Column]) -> Self {
        for column in extra {
            self = self.text(&column.name).f32s(&column.values);
        }
        self
    }

    pub(super) fn problems(self, problems: &ProblemColumns) -> Self {
        self.u64s(&problems.id)
            .u32s(&problems.num_success)
            .u32s(&problems.group_size)
            .u32s(&problems.attempts)
            .u32s(&problems.solved_streak)
            .u32s(&problems.last_step)
            .u32s(&problems.stored)
            .extra(&problems.extra)
    }

    pub(super) fn trajectories(self, trajectories: &TrajectoryColumns) -> Self {
        self.u32s(&trajectories.offsets)
            .u64s(&trajectories.id)
            .f32s(&trajectories.entropy)
            .f32s(&trajectories.logprob)
            .f32s(&trajectories.reward)
            .u32s(&trajectories.length)
            .u32s(&trajectories.step)
            .extra(&trajectories.extra)
    }

    pub(super) fn requests(mut self, requests: &[VerifyRequest]) -> Self {
        for request in requests {
            self = self.text(&request.prompt).text(&request.reference).text(&request.response);
            self.0.update([u8::from(request.finished)]);
        }
        self
    }

    /// The first 16 hexadecimal digits.
    pub(super) fn finish(self) -> String {
        let mut digits = sealed::hex(&self.0.finalize());
        digits.truncate(16);
        digits
    }
}

/// SHA-256 of a component's bytes as 64 hexadecimal digits.
pub(super) fn component_digest(bytes: &[u8]) -> String {
    sealed::sha256(bytes)
}
