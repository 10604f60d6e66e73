//! Rotary embeddings as tensors. Letters: B sequences, T tokens of the longest, R rotated dimensions of a head.

use candle_core::{Device, Result, Tensor};

use crate::{ModelConfig, Rotation as RotationKind};

/// Cosines and sines of a rotary embedding, `[T, R/2]`, or `[B, T, R/2]` where positions differ by sequence.
pub(super) struct Rotation {
    pub(super) cos: Tensor,
    pub(super) sin: Tensor,
}

/// The rotary embeddings of a network's layers.
pub(super) struct Rotations {
    global: Rotation,
    local: Option<Rotation>,
}

impl Rotations {
    /// Rotations of positions 0..`len`.
    pub(super) fn new(config: &ModelConfig, len: usize, device: &Device) -> Result<Self> {
        let global = Rotation::new(&config.rope_frequencies(), config.rope_magnitude(), len, device)?;
        let local = config.local_rope_frequencies();
        let local = local.map(|frequencies| Rotation::new(&frequencies, 1.0, len, device)).transpose()?;
        Ok(Self { global, local })
    }

    /// Rotations of `positions`, `[B, T]`, out of those of 0..len.
    pub(super) fn at(&self, positions: &Tensor) -> Result<Self> {
        let local = self.local.as_ref().map(|local| local.at(positions)).transpose()?;
        Ok(Self { global: self.global.at(positions)?, local })
    }

    /// That of layers of a kind; none where they are not rotated.
    pub(super) fn of(&self, kind: RotationKind) -> Option<&Rotation> {
        match kind {
            RotationKind::Global => Some(&self.global),
            RotationKind::Local => self.local.as_ref(),
            RotationKind::None => None,
        }
    }
}

impl Rotation {
    fn new(frequencies: &[f64], magnitude: f64, len: usize, device: &Device) -> Result<Self> {
        let angles = (0..len).flat_map(|position| frequencies.iter().map(move |f| position as f64 * f));
        let (sin, cos): (Vec<f32>, Vec<f32>) = angles
            .map(|angle| {
                let (sin, cos) = libm::sincos(angle);
                ((sin * magnitude) as f32, (cos * magnitude) as f32)
            })
            .unzip();
        let shape = (len, frequencies.len());
        Ok(Self { cos: Tensor::from_vec(cos, shape, device)?, sin: Tensor::from_vec(sin, shape, device)? })
    }

    fn at(&self, positions: &Tensor) -> Result<Self> {
        let (rows, len) = positions.dims2()?;
        let positions = positions.flatten_all()?;
        let pick = |table: &Tensor| table.index_select(&positions, 0)?.reshape((rows, len, ()));
        Ok(Self { cos: pick(&self.cos)?, sin: pick(&self.sin)? })
    }
}
