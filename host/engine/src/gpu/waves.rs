//! What is decoded together, and the numbers that it draws with.

use rand_chacha::rand_core::RngCore;

use super::network::Network;
use super::ops::Device;
use super::sizes::{Batch, Wave, padded};
use crate::SampleRequest;

/// Padded tokens of prompts that are computed at once.
const PREFILL_TOKENS: usize = 1 << 14;

impl<D: Device> Network<D> {
    /// Requests that are decoded together, of similar prompt length; a request is never split. What is in a wave depends
    /// on the device's whole memory, not on what is free, so that a run repeats on the same kind of device.
    pub(super) fn waves(&self, requests: &[SampleRequest<'_>], new: usize) -> Vec<Vec<usize>> {
        let room = self.room();
        let mut order: Vec<usize> =
            (0..requests.len()).filter(|&index| !requests[index].streams.is_empty()).collect();
        order.sort_by_key(|&index| requests[index].prompt.len());
        let mut waves: Vec<Vec<usize>> = Vec::new();
        let mut slots = 0;
        for index in order {
            let request = &requests[index];
            slots += request.streams.len();
            let fits = waves.last().is_some_and(|wave| {
                let shape = Wave { groups: wave.len() + 1, prompt: padded(request.prompt.len()), slots, new };
                shape.bytes(&self.widths, &prefill(&shape)) <= room
            });
            match waves.last_mut() {
                Some(wave) if fits => wave.push(index),
                _ => {
                    waves.push(vec![index]);
                    slots = request.streams.len();
                }
            }
        }
        waves
    }
}

/// The largest part of a wave's prompts that is computed at once.
pub(super) fn prefill(wave: &Wave) -> Batch {
    let sequences = (PREFILL_TOKENS / wave.prompt.max(1)).clamp(1, wave.groups.max(1));
    Batch { sequences, len: wave.prompt, scored: sequences }
}

/// The numbers that each completion's stream gives, by token and slot: what other engines draw one after the other.
pub(super) fn uniforms(requests: &[&SampleRequest<'_>], wave: &Wave) -> Vec<u32> {
    let mut words = vec![0; 2 * wave.new * wave.slots];
    let streams = requests.iter().flat_map(|request| request.streams.iter().cloned());
    for (slot, mut stream) in streams.enumerate() {
        for token in 0..wave.new {
            let number = stream.next_u64();
            let place = 2 * (token * wave.slots + slot);
            words[place] = number as u32;
            words[place + 1] = (number >> 32) as u32;
        }
    }
    words
}
