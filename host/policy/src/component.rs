//! One loaded policy: bytes checked, encoded, compiled, linked with nothing but the log, and configured.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value};
use wasmtime::Engine;
use wasmtime::component::{InstancePre, Linker};

use super::bindings::{Indices, error_text, interface};
use super::compile::{self, Settings};
use super::config::GuestConfig;
use super::error::{Fault, FaultKind, Reject, clip};
use super::file::{PolicyFileError, read_policy_file};
use super::inputs::component_digest;
use super::params;
use super::store::{GuestStore, HostState, LiveInstance, LogLine};
use exgrpo_core::journal::Slot;

/// The bytes of a policy and where they come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySource {
    /// File that the bytes were read from; a policy that arrived otherwise has none.
    pub path: Option<PathBuf>,
    /// A component, or a core module with `component-type` sections, which the host encodes itself.
    pub bytes: Arc<[u8]>,
}

impl PolicySource {
    /// Reads a file of at most `most_bytes`.
    ///
    /// # Errors
    /// When it is no such file or can't be read; the path is named.
    pub fn read(path: impl Into<PathBuf>, most_bytes: u64) -> Result<Self, PolicyFileError> {
        let path = path.into();
        let bytes = read_policy_file(&path, most_bytes)?;
        Ok(Self { path: Some(path), bytes: bytes.into() })
    }
}

/// What is known of a component, for logs and summaries.
#[derive(Debug, Clone, PartialEq)]
pub struct ComponentInfo {
    /// Name that the policy gives itself.
    pub name: String,
    /// Version that the policy gives itself.
    pub version: String,
    /// SHA-256 of its bytes, 64 hexadecimal digits.
    pub digest: String,
    /// File that it was read from.
    pub path: Option<PathBuf>,
    /// Slots: those it can fill for a candidate, those it fills now for a member of a set.
    pub slots: Vec<Slot>,
    /// Parameters in force, defaults included.
    pub params: Map<String, Value>,
}

/// A policy ready to be instantiated.
pub(super) struct GuestPolicy {
    pub(super) info: ComponentInfo,
    pub(super) indices: Indices,
    pub(super) config: Arc<GuestConfig>,
    /// Keys of the run's parameters that it took, and the names that it declares.
    pub(super) params: params::Resolved,
    params_json: String,
    /// What it says of its parameters.
    pub(super) schema: String,
    pub(super) imports_log: bool,
    pre: InstancePre<HostState>,
}

/// Bytes that are kept of a name that a policy gives to itself or to a bucket.
pub(super) const MAX_NAME_BYTES: usize = 200;

/// Path or digest: what people know a policy by.
pub(super) fn label(path: Option<&Path>, digest: &str) -> String {
    path.map_or_else(|| digest.to_owned(), |path| path.display().to_string())
}

impl GuestPolicy {
    /// Everything short of the probe. What the policy logs goes to `log`, also when it is refused.
    pub(super) fn load(
        engine: &Engine,
        linker: &Linker<HostState>,
        settings: &Settings,
        run_params: &BTreeMap<String, String>,
        source: &PolicySource,
        log: &mut Vec<LogLine>,
    ) -> Result<Self, Reject> {
        let digest = component_digest(&source.bytes);
        let policy = label(source.path.as_deref(), &digest);
        let refuse = |detail: String| Reject::Load { policy: policy.clone(), detail };

        let config = &settings.guest;
        let most = config.most_file_bytes();
        if source.bytes.len() as u64 > most {
            let detail = format!("{} bytes, guest.file_mib allows {most}", source.bytes.len());
            return Err(refuse(detail));
        }
        let component = compile::compile(engine, settings, &source.bytes).map_err(&refuse)?;
        let metadata = interface("metadata");
        if component.get_export_index(None, &metadata).is_none() {
            let detail = format!("it exports no `{metadata}`: build it with a guest-sdk of this version");
            return Err(refuse(detail));
        }
        // What it imports otherwise does not link.
        let imports_log = component.component_type().imports(engine).len() > 0;
        let pre = linker.instantiate_pre(&component).map_err(|error| {
            refuse(format!("{error:#}; a policy may import nothing but exgrpo:policy/host-log"))
        })?;
        let indices = Indices::new(&pre).map_err(|error| refuse(format!("{error:#}")))?;
        let slots: Vec<Slot> = Slot::ALL.into_iter().filter(|&slot| indices.exports(slot)).collect();
        if slots.is_empty() {
            return Err(refuse("it exports no interface that fills a slot".to_owned()));
        }

        let info = ComponentInfo {
            name: String::new(),
            version: String::new(),
            digest,
            path: source.path.clone(),
            slots,
            params: Map::new(),
        };
        let mut loaded = Self {
            info,
            indices,
            config: Arc::clone(config),
            params: params::Resolved::default(),
            params_json: "{}".to_owned(),
            schema: String::new(),
            imports_log,
            pre,
        };
        let schema = loaded.describe(log).map_err(|fault| refuse(fault.to_string()))?;
        let configure = |detail: String| Reject::Config { policy: policy.clone(), detail };
        loaded.params = params::resolve(&schema, &loaded.info.name, run_params).map_err(configure)?;
        loaded.info.params = loaded.params.values.clone();
        loaded.schema = schema;
        loaded.params_json = Value::Object(loaded.params.values.clone()).to_string();
        let created = loaded.instantiate(None, log);
        created.map(drop).map_err(|fault| configure(fault.to_string()))?;
        Ok(loaded)
    }

    /// Path or digest.
    pub(super) fn label(&self) -> String {
        label(self.info.path.as_deref(), &self.info.digest)
    }

    /// True when the policy keeps state between calls.
    pub(super) fn has_state(&self) -> bool {
        self.indices.state.is_some()
    }

    /// A fresh instance, configured and with its state restored. The instance answers calls that have their own
    /// budget; what creating it logs goes to `log`.
    pub(super) fn instantiate(
        &self,
        state: Option<&[u8]>,
        log: &mut Vec<LogLine>,
    ) -> Result<LiveInstance, Fault> {
        let mut live = self.bare(log)?;
        let configured = live.store.call(self.config.fuel_per_call, |store| {
            let metadata = self.indices.metadata.load(&mut *store, &live.instance)?;
            metadata.call_configure(&mut *store, &self.params_json)
        });
        let restored = match (&configured.answer, &self.indices.state, state) {
            (Ok(Ok(())), Some(indices), Some(state)) => {
                let restored = live.store.call(self.config.fuel_per_call, |store| {
                    indices.load(&mut *store, &live.instance)?.call_restore(&mut *store, state)
                });
                restored.answer
            }
            _ => Ok(Ok(())),
        };
        log.extend(live.store.take_log());
        configured.answer?.map_err(|error| Fault::new(FaultKind::Refused, error_text(error)))?;
        restored?
            .map_err(|error| Fault::new(FaultKind::Refused, format!("restore: {}", error_text(error))))?;
        Ok(live)
    }

    /// An instance as the linker leaves it.
    fn bare(&self, log: &mut Vec<LogLine>) -> Result<LiveInstance, Fault> {
        let mut store = GuestStore::new(self.pre.engine(), &self.config);
        let created = store.call(self.config.fuel_per_call, |store| self.pre.instantiate(store));
        match created.answer {
            Ok(instance) => Ok(LiveInstance { store, instance }),
            Err(fault) => {
                log.extend(store.take_log());
                Err(fault)
            }
        }
    }

    /// Asks for name, version and parameter schema, and checks the types of every interface: looking one up by name
    /// does not, and a wrong type must not surface in the middle of a run.
    fn describe(&mut self, log: &mut Vec<LogLine>) -> Result<String, Fault> {
        let mut live = self.bare(log)?;
        let called = live.store.call(self.config.fuel_per_call, |store| {
            self.indices.load_all(&mut *store, &live.instance)?;
            let metadata = self.indices.metadata.load(&mut *store, &live.instance)?;
            metadata.call_describe(&mut *store)
        });
        log.extend(live.store.take_log());
        let described = called.answer?;
        if described.name.is_empty() {
            return Err(Fault::new(FaultKind::Refused, "it describes itself without a name"));
        }
        if !described.stateless && !self.has_state() {
            let detail = "it says that it isn't stateless but exports no `state`: its memory could not be \
                          checkpointed";
            return Err(Fault::new(FaultKind::Refused, detail));
        }
        self.info.name = clip(described.name, MAX_NAME_BYTES);
        self.info.version = clip(described.version, MAX_NAME_BYTES);
        Ok(described.params_schema)
    }
}
