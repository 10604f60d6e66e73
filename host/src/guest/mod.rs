//! The only place that names wasmtime: loads policies, calls them under limits, swaps them.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
/// Stub.
pub struct GuestConfig {}
impl GuestConfig {
    /// Stub.
    pub fn validate(&self) -> Result<(), String> { Ok(()) }
}
