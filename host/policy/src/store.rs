//! One store a guest instance, its limits set in one constructor, and calls that end in an answer or a typed fault.

use std::fmt::Write as _;

use wasmtime::component::Instance;
use wasmtime::{Engine, ResourceLimiter, Store, Trap, WasmBacktrace};

use super::bindings::host_log;
use super::config::GuestConfig;
use super::engine::MAX_TABLE_ELEMENTS;
use super::error::{Fault, FaultKind, clip};

/// Lines that one instance may log; further ones are counted and dropped.
const MAX_LOG_LINES: usize = 64;
/// Bytes that are kept of one logged line.
const MAX_LOG_BYTES: usize = 2_000;
/// Frames of one function from which on an invalid memory access is taken for an overflow of the guest's own stack,
/// which compilers lay out at the low end of linear memory.
const RECURSION_FRAMES: usize = 8;

/// A line that a guest logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// `debug`, `info`, `warn` or `error`.
    pub level: &'static str,
    /// The line, cut when it was long.
    pub message: String,
}

/// What the host keeps beside an instance.
pub(super) struct HostState {
    limiter: Limiter,
    log: Vec<LogLine>,
    num_dropped_lines: usize,
}

struct Limiter {
    max_memory: usize,
    memory: usize,
    /// Total that a refused request would have led to.
    refused: Option<usize>,
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let total = self.memory + (desired - current.min(desired));
        if total > self.max_memory {
            self.refused = Some(total);
            return Ok(false);
        }
        self.memory = total;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= MAX_TABLE_ELEMENTS)
    }
}

impl host_log::Host for HostState {
    fn log(&mut self, level: host_log::Level, message: String) {
        if self.log.len() >= MAX_LOG_LINES {
            self.num_dropped_lines += 1;
            return;
        }
        let level = match level {
            host_log::Level::Debug => "debug",
            host_log::Level::Info => "info",
            host_log::Level::Warn => "warn",
            host_log::Level::Error => "error",
        };
        self.log.push(LogLine { level, message: clip(message, MAX_LOG_BYTES) });
    }
}

/// What a call came to.
pub(super) struct Called<T> {
    pub(super) answer: Result<T, Fault>,
    /// Fuel that the call used.
    pub(super) fuel: u64,
}

/// A store that runs one instance.
pub(super) struct GuestStore {
    store: Store<HostState>,
    deadline_ticks: u64,
}

impl GuestStore {
    /// The only place where a store is made: every limit is set here or, for fuel and deadline, anew before each call.
    pub(super) fn new(engine: &Engine, config: &GuestConfig) -> Self {
        let limiter = Limiter { max_memory: (config.memory_mib as usize) << 20, memory: 0, refused: None };
        let mut store = Store::new(engine, HostState { limiter, log: Vec::new(), num_dropped_lines: 0 });
        store.limiter(|state| &mut state.limiter);
        store.epoch_deadline_trap();
        store.set_hostcall_fuel((config.output_mib as usize) << 20);
        Self { store, deadline_ticks: config.deadline_ms + 1 }
    }

    /// Runs `f` under a budget of fuel. After a fault other than `Refused` the instance must not be used again.
    pub(super) fn call<T>(
        &mut self,
        fuel: u64,
        f: impl FnOnce(&mut Store<HostState>) -> wasmtime::Result<T>,
    ) -> Called<T> {
        self.store.data_mut().limiter.refused = None;
        self.store.set_epoch_deadline(self.deadline_ticks);
        if let Err(error) = self.store.set_fuel(fuel) {
            return Called { answer: Err(Fault::new(FaultKind::Fuel, error.to_string())), fuel: 0 };
        }
        let answer = f(&mut self.store);
        let fuel_used = fuel.saturating_sub(self.store.get_fuel().unwrap_or(0));
        Called { answer: answer.map_err(|error| self.fault(&error)), fuel: fuel_used }
    }

    /// Lines logged so far, and forgets them.
    pub(super) fn take_log(&mut self) -> Vec<LogLine> {
        let state = self.store.data_mut();
        let mut log = std::mem::take(&mut state.log);
        if state.num_dropped_lines > 0 {
            let message = format!("{} further lines dropped", state.num_dropped_lines);
            log.push(LogLine { level: "warn", message });
            state.num_dropped_lines = 0;
        }
        log
    }

    /// Types an error of wasmtime. Two limits have no trap code of their own: a refused growth is known from the
    /// limiter, too large an answer from its text.
    fn fault(&self, error: &wasmtime::Error) -> Fault {
        let state = self.store.data();
        let backtrace = error.downcast_ref::<WasmBacktrace>();
        let text = format!("{error:#}");
        let root = error.root_cause().to_string();
        let trap = error.downcast_ref::<Trap>();
        let kind = match trap {
            Some(Trap::OutOfFuel) => FaultKind::Fuel,
            Some(Trap::Interrupt) => FaultKind::Deadline,
            Some(Trap::StackOverflow) => FaultKind::Stack,
            Some(Trap::MemoryOutOfBounds) if backtrace.is_some_and(is_recursion) => FaultKind::Stack,
            _ if state.limiter.refused.is_some() => FaultKind::Memory,
            None if text.contains("too much data is being copied") => FaultKind::OutputSize,
            _ => FaultKind::Trap,
        };
        let detail = match (kind, state.limiter.refused) {
            (FaultKind::Memory, Some(total)) => {
                format!("{total} bytes of memory wanted, {} allowed", state.limiter.max_memory)
            }
            (FaultKind::Trap, _) => match state.log.iter().rev().find(|line| line.level == "error") {
                Some(panic) => panic.message.clone(),
                None => root,
            },
            _ => root,
        };
        Fault { backtrace: backtrace.map(frames), ..Fault::new(kind, detail) }
    }
}

/// True when one function fills most of the captured frames.
fn is_recursion(backtrace: &WasmBacktrace) -> bool {
    let frames = backtrace.frames();
    frames.iter().any(|frame| {
        frames.iter().filter(|other| other.func_index() == frame.func_index()).count() >= RECURSION_FRAMES
    })
}

fn frames(backtrace: &WasmBacktrace) -> String {
    let mut text = String::new();
    for frame in backtrace.frames() {
        let offset = frame.func_offset().unwrap_or(0);
        let _infallible = match frame.func_name() {
            Some(name) => writeln!(text, "{name} +{offset:#x}"),
            None => writeln!(text, "function {} +{offset:#x}", frame.func_index()),
        };
    }
    text
}

/// An instance in its store.
pub(super) struct LiveInstance {
    pub(super) store: GuestStore,
    pub(super) instance: Instance,
}
