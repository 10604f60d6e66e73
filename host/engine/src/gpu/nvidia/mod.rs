//! The device's operations on an NVIDIA GPU: kernels of our own, and cuBLAS for products. Everything happens on one
//! stream of candle's device, in order.
#![expect(
    unsafe_code,
    reason = "the driver's interface takes addresses; every place is checked against its buffer first"
)]

mod attention;
mod kernels;
mod memory;
mod optim;
mod rows;
mod tokens;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use anyhow::{Context as _, Result, bail, ensure};
use candle_core::Device as CandleDevice;
use candle_core::cuda_backend::CudaDevice;
use candle_core::cuda_backend::cudarc::cublas::result::gemm_strided_batched_ex;
use candle_core::cuda_backend::cudarc::cublas::sys as blas;
use candle_core::cuda_backend::cudarc::driver::{CudaStream, result, sys};

use self::kernels::Kernels;
use super::ops::{At, Element, OutOfMemory, Product};
use crate::candle::cuda;

/// Values of the memory in which partial sums of a reduction are left.
const PARTIALS: usize = 1 << 21;

/// A GPU as a [`super::ops::Device`].
pub(crate) struct NvidiaGpu {
    device: CudaDevice,
    stream: Arc<CudaStream>,
    kernels: Arc<Kernels>,
    account: Arc<Account>,
    launches: AtomicU64,
    total: usize,
    /// f32 `[PARTIALS]`
    partials: Buffer,
}

#[derive(Default)]
struct Account {
    now: AtomicUsize,
    most: AtomicUsize,
}

/// Memory on the GPU.
pub(crate) struct Buffer {
    address: u64,
    element: Element,
    len: usize,
    stream: Arc<CudaStream>,
    account: Arc<Account>,
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.account.now.fetch_sub(self.len * self.element.size(), Relaxed);
        // A context that is gone has taken its memory along.
        if self.stream.context().bind_to_thread().is_ok() {
            // SAFETY: the address is one that `alloc` was given, and nothing keeps it longer than the buffer; the stream
            // frees it behind everything that uses it.
            let _ = unsafe { result::free_async(self.address, self.stream.cu_stream()) };
        }
    }
}

type Place<'a> = At<'a, Buffer>;

impl NvidiaGpu {
    /// The first NVIDIA GPU that the process may use.
    ///
    /// # Errors
    /// There is none that can be used.
    pub(crate) fn open() -> Result<Self> {
        let CandleDevice::Cuda(device) = cuda()? else { bail!("the device is no GPU") };
        // SAFETY: there is one stream.
        unsafe { device.disable_event_tracking() };
        let stream = device.cuda_stream();
        let context = stream.context();
        context.bind_to_thread().context("can't use the GPU")?;
        keep_freed_memory(context.cu_device()).context("can't set up the GPU's memory")?;
        let account = Arc::new(Account::default());
        let partials = allocate(&stream, Element::F32, PARTIALS, Arc::default())?;
        let total = context.total_mem().context("can't ask for the GPU's memory")?;
        let kernels = Kernels::load(context)?;
        Ok(Self { device, kernels, account, launches: AtomicU64::new(0), total, partials, stream })
    }

    fn count(&self) {
        self.launches.fetch_add(1, Relaxed);
    }

    /// Address of `len` values at a place.
    fn address(&self, place: Place<'_>, len: usize, element: Element) -> Result<u64> {
        let Buffer { address, element: found, len: most, .. } = *place.buffer;
        ensure!(found == element, "a buffer of the GPU holds {found:?}, not {element:?}");
        let end = place.offset.checked_add(len);
        ensure!(
            end.is_some_and(|end| end <= most),
            "{len} values at {} are not in a buffer of {most} on the GPU",
            place.offset
        );
        Ok(address + (place.offset * element.size()) as u64)
    }

    fn f32s(&self, place: Place<'_>, len: usize) -> Result<u64> {
        self.address(place, len, Element::F32)
    }

    fn ids(&self, place: Place<'_>, len: usize) -> Result<u64> {
        self.address(place, len, Element::U32)
    }

    /// Values from a place to where its product's operand ends.
    fn operand(
        &self,
        place: Place<'_>,
        rows: usize,
        columns: usize,
        row: usize,
        batch: (usize, usize),
    ) -> Result<u64> {
        let (members, step) = batch;
        let len = (members - 1) * step + (rows - 1) * row + columns;
        self.address(place, len, place.buffer.element)
    }

    fn multiply(&self, shape: &Product, a: Place<'_>, b: Place<'_>, c: Place<'_>) -> Result<()> {
        let Product { m, n, k, batch, alpha, beta, .. } = *shape;
        if m == 0 || n == 0 || batch == 0 {
            return Ok(());
        }
        ensure!(k > 0, "a product of the GPU has no depth");
        let stored = |rows, columns, transposed| if transposed { (columns, rows) } else { (rows, columns) };
        let (a_rows, a_columns) = stored(m, k, shape.a_transposed);
        let (b_rows, b_columns) = stored(k, n, shape.b_transposed);
        let from_a = self.operand(a, a_rows, a_columns, shape.a_row, (batch, shape.a_step))?;
        let from_b = self.operand(b, b_rows, b_columns, shape.b_row, (batch, shape.b_step))?;
        let to = self.operand(c, m, n, shape.c_row, (batch, shape.c_step))?;
        ensure!(a.buffer.element == b.buffer.element, "the operands of a product have different types");
        let int = |value: usize| i32::try_from(value).context("a product is too large for the GPU's library");
        let turn = |transposed| {
            if transposed {
                blas::cublasOperation_t::CUBLAS_OP_T
            } else {
                blas::cublasOperation_t::CUBLAS_OP_N
            }
        };
        self.stream.context().bind_to_thread()?;
        let handle = self.device.cublas_handle();
        // SAFETY: the operands lie within their buffers, as was checked. cuBLAS stores columns, so that our rows are its
        // columns and C' = B' A' is computed.
        unsafe {
            gemm_strided_batched_ex(
                *handle.handle(),
                turn(shape.b_transposed),
                turn(shape.a_transposed),
                int(n)?,
                int(m)?,
                int(k)?,
                (&raw const alpha).cast(),
                from_b as *const _,
                data_type(b.buffer.element)?,
                int(shape.b_row)?,
                shape.b_step as i64,
                from_a as *const _,
                data_type(a.buffer.element)?,
                int(shape.a_row)?,
                shape.a_step as i64,
                (&raw const beta).cast(),
                to as *mut _,
                data_type(c.buffer.element)?,
                int(shape.c_row)?,
                shape.c_step as i64,
                int(batch)?,
                blas::cublasComputeType_t::CUBLAS_COMPUTE_32F,
                blas::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
            )
        }
        .with_context(|| format!("the GPU can't compute {shape:?}"))
    }
}

fn data_type(element: Element) -> Result<blas::cudaDataType> {
    match element {
        Element::F32 => Ok(blas::cudaDataType::CUDA_R_32F),
        Element::Bf16 => Ok(blas::cudaDataType::CUDA_R_16BF),
        Element::U32 => bail!("token ids can't be multiplied"),
    }
}

/// Memory that is freed stays with the process: a step asks for the same again.
fn keep_freed_memory(device: sys::CUdevice) -> Result<()> {
    let mut threshold = u64::MAX;
    // SAFETY: the pool is the device's own, the attribute is 64 bits wide.
    unsafe {
        let pool = result::device::get_default_mem_pool(device)?;
        sys::cuMemPoolSetAttribute(
            pool,
            sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD,
            (&raw mut threshold).cast(),
        )
        .result()?;
    }
    Ok(())
}

/// Zeroed memory. What the pool keeps in pieces is given back before the GPU is said to be full.
fn allocate(stream: &Arc<CudaStream>, element: Element, len: usize, account: Arc<Account>) -> Result<Buffer> {
    let bytes = (len * element.size()).max(1);
    let context = stream.context();
    context.bind_to_thread()?;
    // SAFETY: the memory is zeroed before anything can read it.
    let address = unsafe { result::malloc_async(stream.cu_stream(), bytes) }.or_else(|_| {
        stream.synchronize()?;
        // SAFETY: the pool is the device's own; memory in use stays.
        unsafe {
            let pool = result::device::get_default_mem_pool(context.cu_device())?;
            sys::cuMemPoolTrimTo(pool, 0).result()?;
            result::malloc_async(stream.cu_stream(), bytes)
        }
    });
    let address = match address {
        Ok(address) => address,
        Err(error) if error.0 == sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY => {
            let (free, total) = context.mem_get_info()?;
            bail!(OutOfMemory { asked: bytes, free, total });
        }
        Err(error) => return Err(error).context("the GPU gives no memory"),
    };
    let buffer = Buffer { address, element, len, stream: stream.clone(), account };
    let bytes = len * element.size();
    let now = buffer.account.now.fetch_add(bytes, Relaxed) + bytes;
    buffer.account.most.fetch_max(now, Relaxed);
    // SAFETY: the memory is ours, and as long.
    unsafe { result::memset_d8_async(address, 0, bytes.max(1), stream.cu_stream()) }
        .context("the GPU can't zero memory")?;
    Ok(buffer)
}

#[cfg(test)]
mod tests;
