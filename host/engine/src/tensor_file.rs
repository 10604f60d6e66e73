//! Named f32 tensors in safetensors files: reading with conversion from bf16, f16 and f64, writing in one rename.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensorError, SafeTensors, View};
use serde::Deserialize;

use exgrpo_core::bounded;
use exgrpo_core::escape::{self, foreign};

/// A tensor on the host.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTensor {
    /// Name in the file.
    pub name: String,
    /// Dimensions.
    pub shape: Vec<usize>,
    /// Values in row-major order, as many as the product of `shape`.
    pub data: Vec<f32>,
}

/// Why tensors can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum TensorFileError {
    /// The system refuses the file.
    #[error("can't {action} {path}")]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The bytes aren't safetensors.
    #[error("{file} is not a usable safetensors file")]
    Format {
        /// The file or the name of the embedded bytes.
        file: String,
        /// What is wrong.
        #[source]
        source: SafeTensorError,
    },
    /// The index of a sharded checkpoint can't be understood.
    #[error("{path} is not a usable index of shards")]
    Index {
        /// The file.
        path: PathBuf,
        /// Line, column and reason.
        #[source]
        source: serde_json::Error,
    },
    /// A tensor isn't what it should be.
    #[error("{file}: {reason}")]
    Tensor {
        /// The file or the name of the embedded bytes.
        file: String,
        /// Which tensor, what is wrong, what was expected.
        reason: String,
    },
}

/// Tensors of a file by name, and the file's metadata.
#[derive(Debug, Clone, Default)]
pub(super) struct TensorFile {
    pub(super) tensors: BTreeMap<String, NamedTensor>,
    pub(super) metadata: HashMap<String, String>,
    /// What was left aside, a line for people each.
    pub(super) notes: Vec<String>,
}

impl TensorFile {
    /// Parses the bytes of a safetensors file; `file` names them in errors.
    pub(super) fn from_bytes(bytes: &[u8], file: &str) -> Result<Self, TensorFileError> {
        let format = |source| TensorFileError::Format { file: file.to_owned(), source };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(format)?;
        let parsed = SafeTensors::deserialize(bytes).map_err(format)?;
        let mut tensors = BTreeMap::new();
        for (name, view) in parsed.iter() {
            let data = to_f32(view.dtype(), view.data()).ok_or_else(|| TensorFileError::Tensor {
                file: file.to_owned(),
                reason: format!(
                    "tensor `{}` is {:?}, supported are F32, BF16, F16 and F64",
                    foreign(name),
                    view.dtype()
                ),
            })?;
            let tensor = NamedTensor { name: name.to_owned(), shape: view.shape().to_vec(), data };
            tensors.insert(name.to_owned(), tensor);
        }
        Ok(Self { tensors, metadata: header.metadata().clone().unwrap_or_default(), notes: Vec::new() })
    }

    /// Reads one file of at most `most` bytes.
    pub(super) fn read(path: &Path, most: u64) -> Result<Self, TensorFileError> {
        let bytes = bounded::read(path, most).map_err(|source| io_error("read", path, source))?;
        Self::from_bytes(&bytes, &path.display().to_string())
    }

    /// Reads every shard that a `model.safetensors.index.json` names, none of more than `most` bytes. A tensor counts in the
    /// shard that the index places it in.
    pub(super) fn read_shards(index: &Path, most: u64) -> Result<Self, TensorFileError> {
        let text = bounded::read_text(index, bounded::CONFIG_BYTES)
            .map_err(|source| io_error("read", index, source))?;
        let shards: ShardIndex = serde_json::from_str(&text)
            .map_err(|source| TensorFileError::Index { path: index.to_owned(), source })?;
        let folder = index.parent().unwrap_or(Path::new("."));
        let mut all = Self::default();
        let files: std::collections::BTreeSet<&String> = shards.weight_map.values().collect();
        for file in files {
            // A shard is a neighbour of its index; anything else isn't a checkpoint as published.
            if !is_plain_name(file) {
                return Err(TensorFileError::Tensor {
                    file: index.display().to_string(),
                    reason: format!("shard `{}` is not a plain file name", foreign(file)),
                });
            }
            for (name, tensor) in Self::read(&folder.join(file), most)?.tensors {
                match shards.weight_map.get(&name) {
                    // The index decides which of several copies counts.
                    Some(place) if place != file => {
                        all.notes.push(format!(
                            "shard `{file}` holds a `{}` that is not used: the index takes it from `{}`",
                            foreign(&name),
                            foreign(place)
                        ));
                        continue;
                    }
                    _ => {}
                }
                all.tensors.insert(name, tensor);
            }
        }
        if let Some((name, file)) =
            shards.weight_map.iter().find(|(name, _)| !all.tensors.contains_key(*name))
        {
            return Err(TensorFileError::Tensor {
                file: index.display().to_string(),
                reason: format!("tensor `{}` is missing from its shard `{file}`", foreign(name)),
            });
        }
        Ok(all)
    }
}

/// True for what can only name a neighbour in the same folder, and for people.
pub fn is_plain_name(name: &str) -> bool {
    Path::new(name).file_name().is_some_and(|file| file == name) && !name.chars().any(escape::is_hidden)
}

/// Writes f32 tensors beside `path` and renames them into place, so that a reader never sees half a file. At most
/// one metadata entry keeps the bytes the same from run to run.
pub(super) fn write_tensors<'a>(
    path: &Path,
    tensors: impl IntoIterator<Item = &'a NamedTensor>,
    metadata: (&str, String),
) -> Result<(), TensorFileError> {
    let written = |source| io_error("write", path, source);
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    // The library makes its file for its owner alone; one made here has the mode that every other file of ours has.
    let mode = File::create(&partial).and_then(|file| Ok(file.metadata()?.permissions())).map_err(written)?;
    let metadata = HashMap::from([(metadata.0.to_owned(), metadata.1)]);
    let views = tensors.into_iter().map(|tensor| (tensor.name.as_str(), tensor));
    safetensors::serialize_to_file(views, Some(metadata), &partial)
        .map_err(|source| TensorFileError::Format { file: partial.display().to_string(), source })?;
    std::fs::set_permissions(&partial, mode).map_err(written)?;
    File::open(&partial).and_then(|file| file.sync_all()).map_err(written)?;
    std::fs::rename(&partial, path).map_err(written)
}

#[derive(Deserialize)]
struct ShardIndex {
    weight_map: BTreeMap<String, String>,
}

impl View for &NamedTensor {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.data.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    fn data_len(&self) -> usize {
        self.data.len() * size_of::<f32>()
    }
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> TensorFileError {
    TensorFileError::Io { action, path: path.to_owned(), source }
}

fn to_f32(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    let half = |convert: fn(u16) -> f32| {
        bytes.chunks_exact(2).map(|pair| convert(u16::from_le_bytes([pair[0], pair[1]]))).collect()
    };
    match dtype {
        Dtype::F32 => Some(
            bytes
                .chunks_exact(4)
                .map(|quad| f32::from_le_bytes([quad[0], quad[1], quad[2], quad[3]]))
                .collect(),
        ),
        Dtype::BF16 => Some(half(|bits| f32::from_bits(u32::from(bits) << 16))),
        Dtype::F16 => Some(half(f16_to_f32)),
        Dtype::F64 => {
            Some(bytes.as_chunks().0.iter().map(|eight| f64::from_le_bytes(*eight) as f32).collect())
        }
        _ => None,
    }
}

/// IEEE 754 binary16: 5 exponent bits with bias 15, 10 fraction bits.
fn f16_to_f32(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = u32::from(bits >> 10) & 0x1f;
    let fraction = u32::from(bits) & 0x3ff;
    let magnitude = match exponent {
        0 => fraction as f32 * f32::from_bits((127 - 24) << 23),
        31 => f32::from_bits(0x7f80_0000 | fraction << 13),
        _ => f32::from_bits((exponent + 127 - 15) << 23 | fraction << 13),
    };
    sign * magnitude
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_file_of_tensors_has_the_mode_of_any_other_file() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
        let (plain, tensors) = (dir.path().join("plain"), dir.path().join("model.safetensors"));
        std::fs::write(&plain, "").unwrap();
        let one = NamedTensor { name: "a".to_owned(), shape: vec![1], data: vec![1.0] };
        write_tensors(&tensors, [&one], ("format", "pt".to_owned())).unwrap();
        assert_eq!(mode(&tensors), mode(&plain));
    }

    /// Witness: every finite f16 is m · 2^(e - 24) with integers m and e, computed here in f64.
    #[test]
    fn f16_values_convert_exactly() {
        for bits in 0..=u16::MAX {
            let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
            let sign = if bits >> 15 == 0 { 1.0 } else { -1.0 };
            let got = f16_to_f32(bits);
            match exponent {
                31 if fraction > 0.0 => assert!(got.is_nan()),
                31 => assert_eq!(f64::from(got), sign * f64::INFINITY),
                0 => assert_eq!(f64::from(got), sign * fraction * 2f64.powi(-24)),
                _ => assert_eq!(f64::from(got), sign * (1024.0 + fraction) * 2f64.powi(exponent - 25)),
            }
        }
    }
}
