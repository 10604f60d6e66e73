//! The wasmtime engine: deterministic settings, pooled instances, and the clock behind the wall-time backstop.

use std::time::Duration;

use wasmtime::{Config, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Strategy};

use super::compile::Settings;
use super::config::GuestConfig;

/// Wall time between two epochs. Deadlines are counted in these.
const TICK: Duration = Duration::from_millis(1);

/// Address space of a memory that is allocated on demand, and what it gets more when it outgrows that.
const SMALL_RESERVATION: u64 = 4 << 20;
/// Address space behind such a memory that traps.
const SMALL_GUARD: u64 = 64 << 10;

/// Table elements of one instance; more are refused.
pub(super) const MAX_TABLE_ELEMENTS: usize = 40_000;

/// An engine, and whether pooling of instances had to be given up.
pub(super) struct GuestEngine {
    pub(super) engine: Engine,
    /// Why instances are allocated on demand, when they are: slower, otherwise equal.
    pub(super) pooling_refused: Option<String>,
}

/// The engine of a process that compiles and runs nothing: what it gives runs in an engine that [`build`] gives.
pub(super) fn for_compiling(settings: &Settings) -> anyhow::Result<Engine> {
    let config = base_config(&settings.guest, settings.is_pooled);
    Engine::new(&config).map_err(|error| anyhow::anyhow!("can't start the WebAssembly engine: {error:#}"))
}

/// Builds the engine and starts its ticker.
///
/// Pooling reserves address space in the order of hundreds of GiB; where that is not to be had (a limit on virtual
/// memory, say), instances are allocated on demand.
pub(super) fn build(config: &GuestConfig) -> anyhow::Result<GuestEngine> {
    let mut pooled = base_config(config, true);
    pooled.allocation_strategy(InstanceAllocationStrategy::Pooling(pooling(config)));
    let (engine, pooling_refused) = match Engine::new(&pooled) {
        Ok(engine) => (engine, None),
        Err(refused) => match Engine::new(&base_config(config, false)) {
            Ok(engine) => (engine, Some(format!("{refused:#}"))),
            Err(error) => anyhow::bail!("can't start the WebAssembly engine: {error:#}"),
        },
    };
    start_ticker(&engine)?;
    Ok(GuestEngine { engine, pooling_refused })
}

fn base_config(guest: &GuestConfig, is_pooled: bool) -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .epoch_interruption(true)
        .consume_fuel(true)
        // The bits of a NaN are the one thing in which processors differ.
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        .relaxed_simd_deterministic(true)
        .wasm_memory64(false)
        .max_wasm_stack((guest.stack_kib as usize) << 10)
        // rayon's pool is the training loop's: it would wait for a policy's largest function.
        .parallel_compilation(false)
        .memory_init_cow(true);
    if !is_pooled {
        // By default a memory reserves 4 GiB and more, of an address space that is too small for a pool. What grows
        // beyond its reserve is moved instead, and accesses are checked.
        config
            .memory_reservation(SMALL_RESERVATION)
            .memory_reservation_for_growth(SMALL_RESERVATION)
            .memory_guard_size(SMALL_GUARD)
            .guard_before_linear_memory(false);
    }
    config
}

fn pooling(guest: &GuestConfig) -> PoolingAllocationConfig {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).max(guest.threads);
    let instances = (2 * threads + 16).max(64) as u32;
    let mut pool = PoolingAllocationConfig::new();
    pool.max_memory_size((guest.memory_mib as usize) << 20)
        .total_memories(instances)
        .total_tables(4 * instances)
        .total_component_instances(instances)
        .total_core_instances(40 * instances)
        // Components of interpreted languages consist of dozens of core modules.
        .max_core_instances_per_component(100)
        .max_tables_per_component(20)
        .table_elements(MAX_TABLE_ELEMENTS)
        // Fresh instances are created often: keeping pages resident made them slower.
        .linear_memory_keep_resident(0);
    pool
}

/// Advances the epoch until the engine is gone.
fn start_ticker(engine: &Engine) -> anyhow::Result<()> {
    let weak = engine.weak();
    std::thread::Builder::new().name("guest-epoch".to_owned()).spawn(move || {
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    })?;
    Ok(())
}
