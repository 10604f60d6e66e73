//! From bytes to a candidate that may take over.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};

use super::bindings::host_log;
use super::compile::Settings;
use super::component::{ComponentInfo, GuestPolicy, PolicySource};
use super::config::GuestConfig;
use super::engine;
use super::error::Reject;
use super::probe::{self, CallCost, Probe};
use super::store::{HostState, LogLine};

/// Loads policies under one configuration. Cheap to clone; may be used from any thread, beside a run too.
#[derive(Clone)]
pub struct Loader {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Engine,
    pooling_refused: Option<String>,
    linker: Linker<HostState>,
    settings: Settings,
    params: BTreeMap<String, String>,
    /// `None` for rayon's own pool.
    threads: Option<rayon::ThreadPool>,
}

/// A policy that has passed its probe and may be put in a [`PolicySet`](super::PolicySet).
#[derive(Clone)]
pub struct Candidate {
    pub(super) policy: Arc<GuestPolicy>,
    pub(super) initial_state: Option<Vec<u8>>,
    pub(super) log: Vec<LogLine>,
    costs: Vec<CallCost>,
}

impl Candidate {
    /// What each of its functions took when it was tried; empty for one that was not.
    pub fn costs(&self) -> &[CallCost] {
        &self.costs
    }

    /// What it says of its parameters: a JSON Schema, or nothing.
    pub fn schema(&self) -> &str {
        &self.policy.schema
    }

    /// Whether it keeps state between calls.
    pub fn has_state(&self) -> bool {
        self.policy.has_state()
    }

    /// Whether it imports the log, the only thing that it may.
    pub fn imports_log(&self) -> bool {
        self.policy.imports_log
    }

    /// Name, digest, parameters and the slots that it can fill.
    pub fn info(&self) -> &ComponentInfo {
        &self.policy.info
    }

    /// What it logged so far.
    pub fn log(&self) -> &[LogLine] {
        &self.log
    }

    /// File that it was read from.
    pub(super) fn path(&self) -> Option<&Path> {
        self.policy.info.path.as_deref()
    }
}

impl std::fmt::Debug for Loader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Shared { settings, params, .. } = &*self.shared;
        f.debug_struct("Loader").field("settings", settings).field("params", params).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Candidate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Candidate").field("info", &self.policy.info).finish_non_exhaustive()
    }
}

impl Loader {
    /// Starts the engine. `params` are the run's parameters, `name` or `policy.name` to text: each policy takes those
    /// that it declares.
    ///
    /// # Errors
    /// When the configuration is out of range or the engine can't be started.
    pub fn new(config: &GuestConfig, params: &BTreeMap<String, String>) -> anyhow::Result<Self> {
        config.validate().map_err(anyhow::Error::msg)?;
        let built = engine::build(config)?;
        let mut linker = Linker::new(&built.engine);
        host_log::add_to_linker::<HostState, HasSelf<HostState>>(&mut linker, |state| state)
            .map_err(|error| anyhow::anyhow!("can't link the policies' log: {error:#}"))?;
        let threads = match config.threads {
            0 => None,
            threads => Some(rayon::ThreadPoolBuilder::new().num_threads(threads).build()?),
        };
        let shared = Shared {
            engine: built.engine,
            settings: Settings {
                guest: Arc::new(config.clone()),
                is_pooled: built.pooling_refused.is_none(),
            },
            pooling_refused: built.pooling_refused,
            linker,
            params: params.clone(),
            threads,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Encodes, compiles, links, configures and probes. Nothing of a running set changes.
    ///
    /// # Errors
    /// Says at which of these stages the policy failed and why.
    pub fn prepare(&self, source: PolicySource, probe: &Probe) -> Result<Candidate, Reject> {
        self.prepare_logged(&source, probe, &mut Vec::new())
    }

    /// Several policies side by side: compiling them is most of what a run waits for when it begins.
    pub fn prepare_all(&self, sources: &[PolicySource], probe: &Probe) -> Vec<Result<Candidate, Reject>> {
        std::thread::scope(|scope| {
            let prepare = |source: &PolicySource| self.prepare(source.clone(), probe);
            let started: Vec<_> = sources
                .iter()
                .map(|source| std::thread::Builder::new().spawn_scoped(scope, move || prepare(source)).ok())
                .collect();
            let ready = started.into_iter().zip(sources).map(|(thread, source)| match thread {
                Some(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                // The system has no thread to give.
                None => prepare(source),
            });
            ready.collect()
        })
    }

    /// [`prepare`](Self::prepare) that leaves what a refused policy logged in `log`; an accepted one brings its lines
    /// along.
    ///
    /// # Errors
    /// As for `prepare`.
    pub fn prepare_logged(
        &self,
        source: &PolicySource,
        probe: &Probe,
        log: &mut Vec<LogLine>,
    ) -> Result<Candidate, Reject> {
        let mut candidate = self.load(source, log)?;
        candidate.costs = probe::run(&candidate.policy, candidate.initial_state.as_deref(), probe, log)?;
        candidate.log = std::mem::take(log);
        Ok(candidate)
    }

    /// A candidate that was accepted before, with the lines that it logged then: not probed again, because the pool is
    /// another one now.
    ///
    /// # Errors
    /// As for `prepare`, short of the probe.
    pub fn prepare_again(&self, source: &PolicySource, log: Vec<LogLine>) -> Result<Candidate, Reject> {
        Ok(Candidate { log, ..self.load(source, &mut Vec::new())? })
    }

    /// Everything but the probe: for a policy that a run used before. What the policy logs goes to `log`.
    pub(super) fn load(&self, source: &PolicySource, log: &mut Vec<LogLine>) -> Result<Candidate, Reject> {
        let Shared { engine, linker, settings, params, .. } = &*self.shared;
        let policy = GuestPolicy::load(engine, linker, settings, params, source, log)?;
        let initial_state = policy.initial_state(log).map_err(|fault| Reject::Probe {
            policy: policy.label(),
            function: "state.snapshot".to_owned(),
            fault,
        })?;
        Ok(Candidate { policy: Arc::new(policy), initial_state, log: Vec::new(), costs: Vec::new() })
    }

    /// Most bytes of a policy's file.
    pub fn most_file_bytes(&self) -> u64 {
        self.config().most_file_bytes()
    }

    /// Why instances are not pooled, when they are not (slower, otherwise equal).
    pub fn pooling_refused(&self) -> Option<&str> {
        self.shared.pooling_refused.as_deref()
    }

    pub(super) fn config(&self) -> &Arc<GuestConfig> {
        &self.shared.settings.guest
    }

    pub(super) fn params(&self) -> &BTreeMap<String, String> {
        &self.shared.params
    }

    pub(super) fn threads(&self) -> Option<&rayon::ThreadPool> {
        self.shared.threads.as_ref()
    }
}
