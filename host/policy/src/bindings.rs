//! The host's side of `guest-sdk/wit`: generated types, conversions from the host's columns, and the log that guests
//! write to. A component exports any subset of the interfaces, so each is looked up by itself.

use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};

use super::store::HostState;
use exgrpo_core::columns;
use exgrpo_core::journal::Slot;

wasmtime::component::bindgen!({
    path: "../../guest-sdk/wit/since_v0.1.0",
    world: "host-all",
    ownership: Borrowing { duplicate_if_necessary: false },
});

pub(super) use exgrpo::policy::host_log;
pub(super) use exgrpo::policy::types::{Column, PolicyError, ProblemColumns, TrajectoryColumns};
pub(super) use exports::exgrpo::policy as slots;

/// The interfaces' package and its version.
const PACKAGE: &str = "exgrpo:policy";
const VERSION: &str = "0.1.0";
/// Both, as in `guest-sdk/wit`: what a policy has to be built for.
pub const INTERFACE: &str = "exgrpo:policy@0.1.0";

/// Full name of an interface, as components export it.
pub(super) fn interface(name: &str) -> String {
    format!("{PACKAGE}/{name}@{VERSION}")
}

/// Where a component keeps each interface; `None` when it does not export it.
pub(super) struct Indices {
    pub(super) metadata: slots::metadata::GuestIndices,
    pub(super) difficulty: Option<slots::difficulty::GuestIndices>,
    pub(super) retirement: Option<slots::retirement::GuestIndices>,
    pub(super) sampling: Option<slots::sampling::GuestIndices>,
    pub(super) selection: Option<slots::selection::GuestIndices>,
    pub(super) trajectories: Option<slots::trajectories::GuestIndices>,
    pub(super) verifier: Option<slots::verifier::GuestIndices>,
    pub(super) state: Option<slots::state::GuestIndices>,
}

/// Absent is `None`, present but incomplete is an error.
macro_rules! optional {
    ($pre:ident, $module:ident) => {
        match $pre.component().get_export_index(None, &interface(stringify!($module))) {
            Some(_) => Some(slots::$module::GuestIndices::new($pre)?),
            None => None,
        }
    };
}

impl Indices {
    /// Looks every interface up. Names only: types are checked when an instance is loaded.
    pub(super) fn new(pre: &InstancePre<HostState>) -> wasmtime::Result<Self> {
        Ok(Self {
            metadata: slots::metadata::GuestIndices::new(pre)?,
            difficulty: optional!(pre, difficulty),
            retirement: optional!(pre, retirement),
            sampling: optional!(pre, sampling),
            selection: optional!(pre, selection),
            trajectories: optional!(pre, trajectories),
            verifier: optional!(pre, verifier),
            state: optional!(pre, state),
        })
    }

    /// True when the slot's interface is there.
    pub(super) fn exports(&self, slot: Slot) -> bool {
        match slot {
            Slot::Difficulty => self.difficulty.is_some(),
            Slot::Retirement => self.retirement.is_some(),
            Slot::Sampling => self.sampling.is_some(),
            Slot::Selection => self.selection.is_some(),
            Slot::Trajectories => self.trajectories.is_some(),
            Slot::Verifier => self.verifier.is_some(),
        }
    }

    /// Checks the types of every interface that is there.
    pub(super) fn load_all(&self, store: &mut Store<HostState>, instance: &Instance) -> wasmtime::Result<()> {
        macro_rules! load {
            ($($module:ident),*) => {
                $(if let Some(indices) = &self.$module {
                    indices.load(&mut *store, instance)?;
                })*
            };
        }
        self.metadata.load(&mut *store, instance)?;
        load!(difficulty, retirement, sampling, selection, trajectories, verifier, state);
        Ok(())
    }
}

/// Borrowed view of the extra columns, to be kept alive for the call.
pub(super) fn extra_columns(extra: &[columns::Column]) -> Vec<Column<'_>> {
    extra.iter().map(|column| Column { name: &column.name, values: &column.values }).collect()
}

/// Borrowed view of problem columns.
pub(super) fn problem_columns<'a>(
    problems: &'a columns::ProblemColumns,
    extra: &'a [Column<'a>],
) -> ProblemColumns<'a> {
    ProblemColumns {
        id: &problems.id,
        num_success: &problems.num_success,
        group_size: &problems.group_size,
        attempts: &problems.attempts,
        solved_streak: &problems.solved_streak,
        last_step: &problems.last_step,
        stored: &problems.stored,
        extra,
    }
}

/// Borrowed view of trajectory columns.
pub(super) fn trajectory_columns<'a>(
    trajectories: &'a columns::TrajectoryColumns,
    extra: &'a [Column<'a>],
) -> TrajectoryColumns<'a> {
    TrajectoryColumns {
        offsets: &trajectories.offsets,
        id: &trajectories.id,
        entropy: &trajectories.entropy,
        logprob: &trajectories.logprob,
        reward: &trajectories.reward,
        length: &trajectories.length,
        step: &trajectories.step,
        extra,
    }
}

/// The policy's own words for its error.
pub(super) fn error_text(error: PolicyError) -> String {
    match error {
        PolicyError::InvalidInput(text) => format!("invalid input: {text}"),
        PolicyError::InvalidConfig(text) => format!("invalid parameters: {text}"),
        PolicyError::Failed(text) => text,
    }
}
