//! What happened inside a step besides training: decisions of policies and events. Rows of the `decisions` and
//! `events` tables.

/// A group of policy functions that one component can fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// Buckets and which question belongs to which.
    Difficulty,
    /// Which questions leave the pool.
    Retirement,
    /// Bucket weights, row weights, replay ratio.
    Sampling,
    /// Whole-pool choice in place of `Sampling`'s weights.
    Selection,
    /// Which stored trajectory joins the group.
    Trajectories,
    /// Rewards.
    Verifier,
}

impl Slot {
    /// All slots.
    pub const ALL: [Self; 6] = [
        Self::Difficulty,
        Self::Retirement,
        Self::Sampling,
        Self::Selection,
        Self::Trajectories,
        Self::Verifier,
    ];

    /// Name of the interface in the WIT package.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Difficulty => "difficulty",
            Self::Retirement => "retirement",
            Self::Sampling => "sampling",
            Self::Selection => "selection",
            Self::Trajectories => "trajectories",
            Self::Verifier => "verifier",
        }
    }
}

impl Slot {
    /// The functions of its interface, as the WIT spells them.
    pub fn functions(self) -> &'static [&'static str] {
        match self {
            Self::Difficulty => &["buckets", "assign"],
            Self::Retirement => &["decide"],
            Self::Sampling => &["bucket-weights", "row-weights", "replay-ratio"],
            Self::Selection => &["select"],
            Self::Trajectories => &["choose"],
            Self::Verifier => &["verify"],
        }
    }
}

/// Digest that rows carry when the host's own default decided.
pub const BUILTIN: &str = "builtin";

/// One call of a policy function.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Step that the decision belongs to.
    pub step: u32,
    /// Slot that was asked.
    pub slot: Slot,
    /// Function within the slot, as the WIT spells it.
    pub function: &'static str,
    /// SHA-256 of the component that answered, or [`BUILTIN`].
    pub digest: String,
    /// SHA-256 of the arguments, the first 16 hexadecimal digits.
    pub inputs_digest: String,
    /// Seed handed to the policy, when the function takes one.
    pub seed: Option<u64>,
    /// Rows in the arguments.
    pub num_rows: u32,
    /// The answer as JSON; for `verify` a count of each verdict (rollout rows hold the verdicts themselves).
    pub output: String,
    /// Fuel used; 0 for built-in defaults.
    pub fuel: u64,
    /// Wall time in microseconds.
    pub duration_us: f32,
    /// Why the component's own answer was not used, when it was not.
    pub fault: Option<String>,
}

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// A policy took over between two steps.
    Swap,
    /// A candidate policy was refused.
    SwapRefused,
    /// A policy faulted while the run used it.
    Fault,
    /// Replay was opened: the pass rate passed `replay_start_accuracy`.
    ReplayStart,
    /// A checkpoint was written.
    Checkpoint,
    /// A line that a policy logged.
    GuestLog,
    /// Who fills each slot, after that changed.
    Slots,
    /// Something that a person may not have meant.
    Warning,
}

impl EventKind {
    /// The word used in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Swap => "swap",
            Self::SwapRefused => "swap-refused",
            Self::Fault => "fault",
            Self::ReplayStart => "replay-start",
            Self::Checkpoint => "checkpoint",
            Self::GuestLog => "guest-log",
            Self::Slots => "slots",
            Self::Warning => "warning",
        }
    }
}

/// Something that a person who opens the log later wants to know of.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Step during or before which it happened.
    pub step: u32,
    /// Kind.
    pub kind: EventKind,
    /// Slot concerned, if one is.
    pub slot: Option<Slot>,
    /// Digest of the policy concerned, if one is.
    pub digest: Option<String>,
    /// A typed reason in one word where there is one: `trap`, `fuel`, `deadline`, `memory`, `stack`, `output-size`,
    /// `refused`, `wrong-length`, `non-finite`, `negative`, `out-of-range`, `load`, `config`, `probe`, `slot`,
    /// `last-good`, `emptied`, `override`, …
    pub reason: Option<&'static str>,
    /// One sentence for people.
    pub detail: String,
}
