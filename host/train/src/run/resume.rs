//! Where a run goes on: the newest checkpoint that can be used, and what is said of the others.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::bail;

use crate::checkpoint::{self, GuestStates, RunState};
use crate::config::RunToml;
use crate::control::journal as swap_journal;
use exgrpo_core::rundir::{RunDir, RunDirError, RunLock};
use exgrpo_core::sealed;
use exgrpo_log::Survey;
use exgrpo_pool::ExperiencePool;

/// Opens the run in `root` and reads its run.toml. Errors say how the run can be had back.
pub(super) fn open(root: &std::path::Path) -> anyhow::Result<(RunDir, RunLock, RunToml)> {
    let there = RunDir::at(root);
    let (dir, lock) = RunDir::open(root).map_err(|error| match error {
        RunDirError::NotARun(_) if there.checkpoints().is_dir() => {
            anyhow::anyhow!("{error}\n{}", checkpoint::run_toml_hint(&there))
        }
        error => error.into(),
    })?;
    let run_toml = RunToml::read(&dir.config())
        .map_err(|error| anyhow::anyhow!("{error:#}\n{}", checkpoint::run_toml_hint(&there)))?;
    Ok((dir, lock, run_toml))
}

/// Where a run goes on.
#[derive(Debug)]
pub(super) struct Found {
    /// The checkpoint; none to begin again.
    pub(super) checkpoint: Option<(RunState, ExperiencePool)>,
    /// Checkpoints that are set aside.
    pub(super) aside: Vec<PathBuf>,
    /// A line for people each.
    pub(super) notes: Vec<String>,
}

impl Found {
    /// Step after which the run goes on; 0 to begin again.
    pub(super) fn step(&self) -> u32 {
        self.checkpoint.as_ref().map_or(0, |(state, _)| state.step)
    }
}

/// Everything is to be set aside.
///
/// # Errors
/// A folder can't be listed.
pub(super) fn from_the_start(dir: &RunDir) -> anyhow::Result<Found> {
    let steps = dir.checkpoint_steps()?;
    let mut aside: Vec<PathBuf> = steps.into_iter().map(|step| dir.checkpoint(step)).collect();
    // What the run was asked to swap belongs to what it did then.
    let swaps = dir.root().join(swap_journal::FOLDER);
    if swaps.exists() {
        aside.push(swaps);
    }
    Ok(Found { checkpoint: None, aside, notes: Vec::new() })
}

/// Looks for the newest checkpoint that is whole, belongs to this run and up to which the log goes.
///
/// # Errors
/// There is none although the run has come further than its first step. Nothing was touched.
pub(super) fn find(
    dir: &RunDir,
    run_toml: &RunToml,
    guest_states: &mut GuestStates,
) -> anyhow::Result<Found> {
    let survey = Survey::of(dir.root())?;
    let limit = run_toml.config.guest.output_mib << 20;
    let mut found = Found { checkpoint: None, aside: Vec::new(), notes: Vec::new() };
    let mut problems = Vec::new();
    let mut beyond_log = None;
    for step in dir.checkpoint_steps()?.into_iter().rev() {
        let path = dir.checkpoint(step);
        if !checkpoint::is_checkpoint(&path) {
            found.notes.push(format!("{} is no checkpoint of this run", path.display()));
            found.aside.push(path);
            continue;
        }
        match read(dir, run_toml, step, limit, guest_states) {
            Ok(checkpoint) if step <= survey.last_step() => {
                found.checkpoint = Some(checkpoint);
                break;
            }
            Ok(checkpoint) => {
                problems.push(format!("{}: the log ends at step {}", path.display(), survey.last_step()));
                beyond_log.get_or_insert(checkpoint);
            }
            Err(error) => problems.push(format!("{}: {error:#}", path.display())),
        }
    }
    // Rows that are gone are gone; the run need not be lost with them.
    found.checkpoint = found.checkpoint.or(beyond_log);
    let step = found.step();
    if step == 0 && (!problems.is_empty() || survey.last_trace() > 1) {
        bail!("{}", no_way_on(dir, &problems, survey.last_trace()));
    }
    let later =
        dir.checkpoint_steps()?.into_iter().filter(|&later| later > step).map(|later| dir.checkpoint(later));
    found.aside = later.collect();
    found.notes.extend(problems.into_iter().map(|problem| format!("can't resume from {problem}")));
    if let Some(note) = found.notes.last_mut().filter(|_| step > 0) {
        let _ = write!(note, "; going on from {}", dir.checkpoint(step).display());
    }
    Ok(found)
}

fn read(
    dir: &RunDir,
    run_toml: &RunToml,
    step: u32,
    limit: u64,
    guest_states: &mut GuestStates,
) -> anyhow::Result<(RunState, ExperiencePool)> {
    let (state, pool) = checkpoint::read(dir, step, limit, guest_states)?;
    let copy =
        sealed::read_limited(&dir.checkpoint(step).join(checkpoint::CONFIG), crate::config::MAX_RUN_TOML)?;
    if copy != run_toml.text.as_bytes() {
        bail!("it is of another run: its copy of run.toml differs");
    }
    let config = &run_toml.config;
    if state.seed != config.seed {
        bail!("it has the seed {}, the run has {}", state.seed, config.seed);
    }
    if u64::from(state.weights_version) > u64::from(step) * u64::from(config.objective.updates) {
        bail!("{} updates can't have been made in {step} steps", state.weights_version);
    }
    Ok((state, pool))
}

fn no_way_on(dir: &RunDir, problems: &[String], last: u32) -> String {
    let root = dir.root().display();
    let mut text = match problems.is_empty() {
        true => format!("{root} has no checkpoint, and a log up to step {last}"),
        false => format!("no checkpoint of {root} can be used"),
    };
    for problem in problems {
        let _ = write!(text, "\n  {problem}");
    }
    let _ = write!(
        text,
        "\nhint: put back what is damaged or gone; or begin again: --resume {root} --start-over, which moves the log \
         into {root}/superseded and removes nothing"
    );
    text
}
