//! What can go wrong with a policy, typed: faults of a call, refusals of a candidate, and the end of a run.

use std::fmt;

use exgrpo_core::journal::Slot;

/// The kind of a [`Fault`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// The guest trapped (a panic, an invalid memory access, an unreachable instruction).
    Trap,
    /// The fuel of the call ran out.
    Fuel,
    /// The wall-clock backstop ended the call.
    Deadline,
    /// The guest asked for more memory than it may have.
    Memory,
    /// The guest's call stack overflowed.
    Stack,
    /// The answer was larger than the host takes.
    OutputSize,
    /// The policy itself answered with an error.
    Refused,
    /// The answer has another number of entries than was asked for.
    WrongLength,
    /// A number in the answer is NaN or infinite.
    NonFinite,
    /// A weight in the answer is below zero.
    Negative,
    /// An index, share or reward in the answer lies outside of its range.
    OutOfRange,
    /// A row occurs twice in an answer that may name it once.
    Duplicate,
}

impl FaultKind {
    /// The one word used in logs.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::Fuel => "fuel",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::Stack => "stack",
            Self::OutputSize => "output-size",
            Self::Refused => "refused",
            Self::WrongLength => "wrong-length",
            Self::NonFinite => "non-finite",
            Self::Negative => "negative",
            Self::OutOfRange => "out-of-range",
            Self::Duplicate => "duplicate",
        }
    }

    /// True for the kinds that mean that a budget ran out.
    pub fn is_budget(self) -> bool {
        matches!(self, Self::Fuel | Self::Deadline | Self::Memory)
    }
}

/// Why a call of a policy gave no usable answer. Data, not a crash: faults are counted and logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The kind.
    pub kind: FaultKind,
    /// One sentence for people, the policy's own panic text or error included.
    pub detail: String,
    /// The guest's frames, innermost first, one a line, when it trapped.
    pub backtrace: Option<String>,
}

/// Bytes that are kept of a policy's own words: they go into every log row that mentions them.
const MAX_DETAIL_BYTES: usize = 2_000;

impl Fault {
    pub(super) fn new(kind: FaultKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: clip(detail.into(), MAX_DETAIL_BYTES), backtrace: None }
    }
}

/// `text`, or as many whole characters of it as fit in `most` bytes and an ellipsis.
pub(super) fn clip(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
    }
    text
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.reason(), self.detail)
    }
}

impl std::error::Error for Fault {}

/// Why a candidate was not taken. The running set stays as it was.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Reject {
    /// It is no policy that this host can run: unreadable, too large, of another interface, with foreign imports.
    #[error("policy {policy} can't be loaded: {detail}")]
    Load {
        /// Path or digest.
        policy: String,
        /// What is wrong and what to do.
        detail: String,
    },
    /// It does not accept the run's parameters.
    #[error("policy {policy} can't be configured: {detail}")]
    Config {
        /// Path or digest.
        policy: String,
        /// What is wrong and what to do.
        detail: String,
    },
    /// It faulted on a sample of the live pool.
    #[error("policy {policy} failed its probe in {function}: {fault}")]
    Probe {
        /// Path or digest.
        policy: String,
        /// Interface and function, as the WIT spells them.
        function: String,
        /// The fault.
        fault: Fault,
    },
    /// A slot that it fills is another file's, or nobody's by request.
    #[error("policy {policy} can't take over: {detail}")]
    Slot {
        /// Path or digest.
        policy: String,
        /// Which slot, and what to do.
        detail: String,
    },
}

impl Reject {
    /// The message, and the guest's frames when it trapped.
    pub fn in_full(&self) -> String {
        match self {
            Self::Probe { fault: Fault { backtrace: Some(backtrace), .. }, .. } => {
                format!("{self}\n{}", backtrace.trim_end())
            }
            _ => self.to_string(),
        }
    }

    /// The one word used in logs: `load`, `config`, `probe` or `slot`.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Load { .. } => "load",
            Self::Config { .. } => "config",
            Self::Probe { .. } => "probe",
            Self::Slot { .. } => "slot",
        }
    }
}

/// Why a set of policies can't be put together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicySetError {
    /// Two components export the interface of one slot.
    #[error("slot `{}` is claimed by both {first} and {second}: leave one of them out", .slot.as_str())]
    SlotClaimedTwice {
        /// The slot.
        slot: Slot,
        /// Path or digest of the first.
        first: String,
        /// Path or digest of the second.
        second: String,
    },
    /// A parameter was given that no component takes.
    #[error("no policy takes the parameter `{name}`; known parameters: {known}")]
    UnknownParameter {
        /// The parameter.
        name: String,
        /// What the components take, for people.
        known: String,
    },
}

/// Why the run can't go on.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// A policy faulted and the failure rule is `stop`.
    #[error("policy {digest} faulted in {}.{function} at step {step} and guest.failure is `stop`: {fault}", .slot.as_str())]
    Fault {
        /// Step of the call.
        step: u32,
        /// Slot that was asked.
        slot: Slot,
        /// Function within the slot.
        function: &'static str,
        /// SHA-256 of the component.
        digest: String,
        /// The fault.
        fault: Fault,
    },
    /// The host's own arguments are inconsistent.
    #[error("inconsistent arguments for {}.{function} at step {step}: {detail}", .slot.as_str())]
    Arguments {
        /// Step of the call.
        step: u32,
        /// Slot that was asked.
        slot: Slot,
        /// Function within the slot.
        function: &'static str,
        /// What does not fit.
        detail: String,
    },
}
