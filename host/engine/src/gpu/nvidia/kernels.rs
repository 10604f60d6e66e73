//! Loading kernels and launching them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use candle_core::cuda_backend::cudarc::driver::sys::CUfunction_attribute_enum;
use candle_core::cuda_backend::cudarc::driver::{
    CudaContext, CudaFunction, DeviceRepr, LaunchConfig, PushKernelArg,
};
use candle_core::cuda_backend::cudarc::nvrtc::Ptx;

use super::{NvidiaGpu, Place};
use crate::gpu::ops::Element;

const MODULES: [(&[u8], &[&str]); 5] = [
    (
        include_bytes!(concat!(env!("OUT_DIR"), "/rows.fatbin")),
        &[
            "gather_f32",
            "gather_bf16",
            "scatter_f32",
            "scatter_bf16",
            "scatter_sums_f32",
            "scatter_sums_bf16",
            "norm_f32",
            "norm_bf16",
            "norm_grad_f32",
            "norm_grad_bf16",
            "add_partials",
            "add_bias_f32",
            "add_bias_bf16",
            "column_sums_f32",
            "column_sums_bf16",
            "gated_f32",
            "gated_bf16",
            "gated_grad_f32",
            "gated_grad_bf16",
        ],
    ),
    (
        include_bytes!(concat!(env!("OUT_DIR"), "/attention.fatbin")),
        &[
            "split_heads_f32",
            "split_heads_bf16",
            "merge_heads_f32",
            "merge_heads_bf16",
            "softmax_f32",
            "softmax_bf16",
            "softmax_grad_f32",
            "softmax_grad_bf16",
            "row_products_f32",
            "row_products_bf16",
        ],
    ),
    (
        include_bytes!(concat!(env!("OUT_DIR"), "/decode.fatbin")),
        &[
            "decode_heads_f32",
            "decode_heads_bf16",
            "decode_attention_64_f32",
            "decode_attention_64_bf16",
            "decode_attention_128_f32",
            "decode_attention_128_bf16",
            "decode_attention_any_f32",
            "decode_attention_any_bf16",
            "decode_attention_tensor_64_bf16",
            "decode_attention_tensor_128_bf16",
        ],
    ),
    (
        include_bytes!(concat!(env!("OUT_DIR"), "/scores.fatbin")),
        &["token_scores", "token_scores_grad_f32", "token_scores_grad_bf16", "draw"],
    ),
    (
        include_bytes!(concat!(env!("OUT_DIR"), "/optim.fatbin")),
        &["adam_f32", "adam_bf16", "round_f32", "round_bf16", "squares", "sum_squares"],
    ),
];

/// Shared memory that a block of some kernels may use: more than it has unasked, and what compute capability 8.6 has.
pub(super) const SHARED_BYTES: usize = 96 << 10;
const SHARING: [&str; 4] = [
    "norm_grad_f32",
    "norm_grad_bf16",
    "decode_attention_tensor_64_bf16",
    "decode_attention_tensor_128_bf16",
];

/// The kernels by name.
pub(super) struct Kernels(HashMap<&'static str, CudaFunction>);

impl Kernels {
    /// Loads them once a process.
    pub(super) fn load(context: &Arc<CudaContext>) -> Result<Arc<Self>> {
        static LOADED: Mutex<Option<Arc<Kernels>>> = Mutex::new(None);
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kernels) = &*loaded {
            return Ok(kernels.clone());
        }
        let mut functions = HashMap::new();
        for (binary, names) in MODULES {
            let module = context
                .load_module(Ptx::from_binary(binary.to_vec()))
                .context("the GPU can't load the kernels: they need compute capability 8.0 or above")?;
            for name in names {
                let function =
                    module.load_function(name).with_context(|| format!("there is no kernel {name}"))?;
                functions.insert(*name, function);
            }
        }
        for name in SHARING {
            if let Some(function) = functions.get(name) {
                function.set_attribute(
                    CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                    SHARED_BYTES as i32,
                )?;
            }
        }
        let kernels = Arc::new(Self(functions));
        *loaded = Some(kernels.clone());
        Ok(kernels)
    }
}

/// A list of arguments.
macro_rules! arguments {
    ($($value:expr),* $(,)?) => { &[$(crate::gpu::nvidia::kernels::Argument::from($value)),*] };
}
pub(super) use arguments;

/// What a kernel is given, by value.
pub(super) enum Argument {
    /// An address or a size.
    Word(u64),
    Int(i32),
    Float(f32),
    Decode(DecodeShape),
    Draw(DrawShape),
    Step(StepShape),
}

impl From<u64> for Argument {
    fn from(value: u64) -> Self {
        Self::Word(value)
    }
}

impl From<usize> for Argument {
    fn from(value: usize) -> Self {
        Self::Word(value as u64)
    }
}

impl From<i32> for Argument {
    fn from(value: i32) -> Self {
        Self::Int(value)
    }
}

impl From<f32> for Argument {
    fn from(value: f32) -> Self {
        Self::Float(value)
    }
}

/// `Shape` of kernels/decode.cu.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct DecodeShape {
    pub(super) sizes: [i32; 7],
    pub(super) scale: f32,
}

/// `Draw` of kernels/scores.cu.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct DrawShape {
    pub(super) vocab: u64,
    pub(super) temperature: f32,
    pub(super) score_temperature: f32,
    pub(super) top_p: f32,
}

/// `Step` of kernels/optim.cu.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct StepShape(pub(super) [f32; 8]);

// SAFETY: plain numbers, laid out as the kernels' structs are.
unsafe impl DeviceRepr for DecodeShape {}
// SAFETY: the same.
unsafe impl DeviceRepr for DrawShape {}
// SAFETY: the same.
unsafe impl DeviceRepr for StepShape {}

/// Blocks of a launch in three dimensions, threads of a block, bytes of shared memory.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    pub(super) blocks: [usize; 3],
    pub(super) threads: usize,
    pub(super) shared: usize,
}

impl Grid {
    /// Enough threads for `values`, each of which may have several.
    pub(super) fn over(values: usize) -> Self {
        Self::blocks(values.div_ceil(256).clamp(1, 4096), 256)
    }

    pub(super) fn blocks(blocks: usize, threads: usize) -> Self {
        Self { blocks: [blocks, 1, 1], threads, shared: 0 }
    }
}

impl NvidiaGpu {
    /// Element type of activations, which `place` holds, and the kernel for it.
    pub(super) fn kernel(&self, name: &str, place: Place<'_>) -> Result<(Element, String)> {
        match place.buffer.element {
            Element::F32 => Ok((Element::F32, format!("{name}_f32"))),
            Element::Bf16 => Ok((Element::Bf16, format!("{name}_bf16"))),
            Element::U32 => bail!("{name} is not for token ids"),
        }
    }

    /// Launches a kernel; one without blocks has nothing to do.
    ///
    /// The addresses among the arguments must be of places as large as the kernel takes them to be.
    pub(super) fn launch(&self, name: &str, grid: Grid, arguments: &[Argument]) -> Result<()> {
        let function = self.kernels.0.get(name).with_context(|| format!("there is no kernel {name}"))?;
        if grid.blocks.contains(&0) {
            return Ok(());
        }
        let [x, y, z] = grid.blocks.map(|blocks| blocks as u32);
        let config = LaunchConfig {
            grid_dim: (x, y, z),
            block_dim: (grid.threads as u32, 1, 1),
            shared_mem_bytes: grid.shared as u32,
        };
        let mut launch = self.stream.launch_builder(function);
        for argument in arguments {
            match argument {
                Argument::Word(value) => launch.arg(value),
                Argument::Int(value) => launch.arg(value),
                Argument::Float(value) => launch.arg(value),
                Argument::Decode(value) => launch.arg(value),
                Argument::Draw(value) => launch.arg(value),
                Argument::Step(value) => launch.arg(value),
            };
        }
        // SAFETY: the callers, all of them in `device`, pass what the kernel's signature says, and addresses of places
        // that they have checked.
        unsafe { launch.launch(config) }.with_context(|| format!("the GPU can't run {name}"))?;
        Ok(())
    }
}
