//! Models on the Hugging Face hub, through the cache that its other clients use.

use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use hf_hub::api::sync::{ApiBuilder, ApiError};
use hf_hub::{Cache, Repo, RepoType};
use serde::Deserialize;

use super::adapter;
use super::directory::{CHAT_TEMPLATE, CONFIG, GENERATION, SPECIAL_TOKENS, TOKENIZER, TOKENIZER_CONFIG};
use exgrpo_core::bounded;
use exgrpo_engine::{WEIGHTS_FILE, WEIGHTS_INDEX_FILE, is_plain_name};

/// The branch that is taken when none is named.
const DEFAULT_REVISION: &str = "main";
/// Tries of a download.
const RETRIES: usize = 3;

/// A model's name on the hub: `owner/name`, or `owner/name@revision`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HubId {
    repo: String,
    revision: String,
}

impl HubId {
    /// Takes what has the form of a name on the hub.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (repo, revision) = text.split_once('@').unwrap_or((text, DEFAULT_REVISION));
        let (owner, name) = repo.split_once('/')?;
        let is_name = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        let is_revision = !revision.is_empty() && !revision.split('/').any(|part| part.starts_with('.'));
        (is_name(owner) && is_name(name) && is_revision)
            .then(|| Self { repo: repo.to_owned(), revision: revision.to_owned() })
    }

    /// The name with the commit that a directory of the cache stands for.
    pub(super) fn pinned(&self, snapshot: &Path) -> String {
        let commit =
            snapshot.file_name().map_or(self.revision.as_str().into(), |name| name.to_string_lossy());
        format!("{}@{commit}", self.repo)
    }
}

/// The model's directory in the cache, filled from the hub unless it is complete already.
///
/// # Errors
/// The hub can't be reached, doesn't know the model or lacks a file; the cache can't be written.
pub(super) fn fetch(id: &HubId) -> anyhow::Result<PathBuf> {
    let root = cache_root().ok_or_else(|| {
        anyhow!("there is no home directory for the hub's cache\nhint: set HF_HOME to a directory")
    })?;
    if let Some(directory) = cached(&root, id) {
        return Ok(directory);
    }
    if std::env::var("HF_HUB_OFFLINE").is_ok_and(|value| matches!(value.as_str(), "1" | "true" | "TRUE")) {
        bail!(
            "{} is neither a directory nor in the hub's cache {}\n\
             hint: HF_HUB_OFFLINE is set, so that nothing was downloaded",
            id.repo,
            root.display()
        );
    }
    download(&root, id).map_err(|error| {
        anyhow!(
            "{} is no file or directory here, nor could it be fetched from the hub: {error}\n\
             hint: check the spelling; a gated model needs a token (`hf auth login`), a machine without network \
             needs the model in {}",
            id.repo,
            root.display()
        )
    })
}

/// Where the hub's clients keep what they downloaded.
fn cache_root() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("HF_HUB_CACHE")
        .or_else(|| set("HF_HOME").map(|home| home.join("hub")))
        .or_else(|| Some(std::env::home_dir()?.join(".cache/huggingface/hub")))
}

fn repo(id: &HubId, revision: &str) -> Repo {
    Repo::with_revision(id.repo.clone(), RepoType::Model, revision.to_owned())
}

/// The directory of a revision if all that it needs is there.
fn cached(root: &Path, id: &HubId) -> Option<PathBuf> {
    let cache = Cache::new(root.to_owned()).repo(repo(id, &id.revision));
    let folder = root.join(repo(id, &id.revision).folder_name());
    let reference = bounded::read_text(&folder.join("refs").join(&id.revision), bounded::CONFIG_BYTES);
    // A revision without a reference is a commit.
    let commit = reference.as_ref().map_or(id.revision.as_str(), |commit| commit.trim());
    let directory = cache.pointer_path(commit);
    is_complete(&directory).then_some(directory)
}

/// Weights are fetched last: where they are, the rest is.
fn is_complete(directory: &Path) -> bool {
    if adapter::is_adapter(directory) {
        return directory.join(adapter::WEIGHTS).exists();
    }
    if !directory.join(CONFIG).exists() || !directory.join(TOKENIZER).exists() {
        return false;
    }
    if directory.join(WEIGHTS_FILE).exists() {
        return true;
    }
    match bounded::read(&directory.join(WEIGHTS_INDEX_FILE), bounded::CONFIG_BYTES) {
        Ok(index) => shards(&index).is_some_and(|shards| {
            !shards.is_empty() && shards.iter().all(|shard| directory.join(shard).exists())
        }),
        Err(_) => false,
    }
}

/// File names in an index of shards, each once; none when one of them is no plain name, which must not become a path of
/// the cache.
fn shards(index: &[u8]) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: std::collections::BTreeMap<String, String>,
    }
    let mut names: Vec<String> =
        serde_json::from_slice::<Index>(index).ok()?.weight_map.into_values().collect();
    names.sort();
    names.dedup();
    names.iter().all(|name| is_plain_name(name)).then_some(names)
}

fn download(root: &Path, id: &HubId) -> Result<PathBuf, ApiError> {
    let mut builder =
        ApiBuilder::from_cache(Cache::new(root.to_owned())).with_retries(RETRIES).with_progress(true);
    if let Ok(endpoint) = std::env::var("HF_ENDPOINT") {
        builder = builder.with_endpoint(endpoint);
    }
    if let Ok(token) = std::env::var("HF_TOKEN") {
        builder = builder.with_token(Some(token));
    }
    let api = builder.build()?;
    let info = api.repo(repo(id, &id.revision)).info()?;
    // One commit for all files, even when the branch moves meanwhile.
    let files = api.repo(repo(id, &info.sha));
    let has = |name: &str| info.siblings.iter().any(|file| file.rfilename == name);
    for name in [GENERATION, TOKENIZER_CONFIG, SPECIAL_TOKENS, CHAT_TEMPLATE] {
        if has(name) {
            files.get(name)?;
        }
    }
    if has(adapter::CONFIG) && !has(CONFIG) {
        if has(TOKENIZER) {
            files.get(TOKENIZER)?;
        }
        let config = files.get(adapter::CONFIG)?;
        files.get(adapter::WEIGHTS)?;
        Cache::new(root.to_owned()).repo(repo(id, &id.revision)).create_ref(&info.sha)?;
        return Ok(config.parent().map(Path::to_owned).unwrap_or_default());
    }
    let config = files.get(CONFIG)?;
    files.get(TOKENIZER)?;
    if has(WEIGHTS_INDEX_FILE) && !has(WEIGHTS_FILE) {
        let index = files.get(WEIGHTS_INDEX_FILE)?;
        for shard in shards(&bounded::read(&index, bounded::CONFIG_BYTES)?).unwrap_or_default() {
            files.get(&shard)?;
        }
    } else {
        files.get(WEIGHTS_FILE)?;
    }
    Cache::new(root.to_owned()).repo(repo(id, &id.revision)).create_ref(&info.sha)?;
    Ok(config.parent().map(Path::to_owned).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_on_the_hub_are_told_from_paths() {
        for (text, expected) in [
            ("Qwen/Qwen2.5-0.5B", Some(("Qwen/Qwen2.5-0.5B", "main"))),
            ("owner/name@refs/pr/3", Some(("owner/name", "refs/pr/3"))),
            ("./owner/name", None),
            ("/owner/name", None),
            ("a/b/c", None),
            ("model", None),
            ("owner/../x", None),
            ("owner/name@../x", None),
        ] {
            let parsed = HubId::parse(text);
            assert_eq!(
                parsed.as_ref().map(|id| (id.repo.as_str(), id.revision.as_str())),
                expected,
                "{text}"
            );
        }
    }

    /// Layout: that of huggingface_hub's cache.
    #[test]
    fn a_complete_snapshot_is_found_without_the_network() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("models--owner--name");
        let snapshot = folder.join("snapshots/abc123");
        std::fs::create_dir_all(&snapshot).unwrap();
        std::fs::create_dir_all(folder.join("refs")).unwrap();
        std::fs::write(folder.join("refs/main"), "abc123").unwrap();
        let id = HubId::parse("owner/name").unwrap();
        std::fs::write(snapshot.join(adapter::CONFIG), "{}").unwrap();
        assert_eq!(cached(root.path(), &id), None);
        std::fs::write(snapshot.join(adapter::WEIGHTS), "").unwrap();
        assert_eq!(cached(root.path(), &id), Some(snapshot.clone()), "an adapter has no more");
        std::fs::write(snapshot.join(CONFIG), "{}").unwrap();
        std::fs::write(snapshot.join(TOKENIZER), "{}").unwrap();
        let index = r#"{"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}}"#;
        std::fs::write(snapshot.join(WEIGHTS_INDEX_FILE), index).unwrap();
        std::fs::write(snapshot.join("1.safetensors"), "").unwrap();
        assert_eq!(cached(root.path(), &id), None);
        std::fs::write(snapshot.join("2.safetensors"), "").unwrap();
        assert_eq!(cached(root.path(), &id), Some(snapshot.clone()));
        assert_eq!(id.pinned(&snapshot), "owner/name@abc123");
        let pinned = HubId::parse("owner/name@abc123").unwrap();
        assert_eq!(cached(root.path(), &pinned), Some(snapshot));
    }
}
