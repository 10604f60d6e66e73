//! The GPU that the process computes on.

use std::sync::{Mutex, PoisonError};

use anyhow::anyhow;
use candle_core::{Device, Error};

/// The first NVIDIA GPU of those that `CUDA_VISIBLE_DEVICES` leaves. It is opened once a process, so that its kernels
/// are loaded once, with one stream, so that work of several threads is done in the order in which it was asked for.
/// Matrix products are in full f32: candle leaves TF32 off.
///
/// # Errors
/// The driver finds no GPU that can be used.
pub fn cuda() -> anyhow::Result<Device> {
    static OPENED: Mutex<Option<Device>> = Mutex::new(None);
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(device) = &*opened {
        return Ok(device.clone());
    }
    let device = Device::new_cuda_with_stream(0).map_err(|error| {
        let error = match error {
            Error::WithBacktrace { inner, .. } => *inner,
            other => other,
        };
        anyhow!(
            "model.engine = \"cuda\", and no GPU can be used: {error}\n\
             hint: nvidia-smi lists the driver and its GPUs, CUDA_VISIBLE_DEVICES hides some; \
             model.engine = \"cpu\" needs none"
        )
    })?;
    *opened = Some(device.clone());
    Ok(device)
}
