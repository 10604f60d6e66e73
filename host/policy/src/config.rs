//! Budgets of guest calls and what happens when a policy faults.

use serde::{Deserialize, Serialize};

/// Limits that every call of a policy runs under, and the rule for faults.
///
/// Fuel is the budget that decides: it counts executed Wasm instructions, so the same call runs out at the same place
/// on every machine. `deadline_ms` is a backstop in wall time against a guest that is slow for other reasons.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct GuestConfig {
    /// Fuel of one call, roughly the number of Wasm instructions. Creating the instance and handing it its parameters and
    /// its state have this much each.
    pub fuel_per_call: u64,
    /// Fuel for verifying one request. A request that needs more is `OutOfBudget`.
    pub fuel_per_request: u64,
    /// Wall time of one call in milliseconds, at least 1.
    pub deadline_ms: u64,
    /// Linear memory of one instance in MiB, 1 to 4096.
    pub memory_mib: u64,
    /// Stack of Wasm frames in KiB, 16 to 1024: it lies on the calling thread's own stack.
    pub stack_kib: u64,
    /// Most data that one call may hand to the host in MiB, 1 to 4096.
    pub output_mib: u64,
    /// Largest component file in MiB.
    pub file_mib: u64,
    /// Largest function in KiB of code: time and memory of compilation grow faster than its size.
    pub function_kib: u64,
    /// Most locals of a function.
    pub function_locals: u64,
    /// Most functions of a component.
    pub functions: u64,
    /// Code of all functions of a component in MiB.
    pub code_mib: u64,
    /// Wall time of compiling a component in seconds. The command line compiles in a process of its own, which is ended
    /// then; the host as a library has no such process, and limits of size only.
    pub compile_s: u64,
    /// Memory that compiling a component may take in MiB, and the size of what it is compiled to. Enforced where the
    /// system can (Linux).
    pub compile_mib: u64,
    /// What a fault of a policy leads to.
    pub failure: FailureRule,
    /// Threads for verification; 0 means all cores. Results do not depend on it.
    pub threads: usize,
}

impl Default for GuestConfig {
    fn default() -> Self {
        Self {
            fuel_per_call: 2_000_000_000,
            fuel_per_request: 100_000_000,
            deadline_ms: 30_000,
            memory_mib: 256,
            stack_kib: 512,
            output_mib: 64,
            file_mib: 32,
            function_kib: 512,
            function_locals: 20_000,
            functions: 100_000,
            code_mib: 16,
            compile_s: 30,
            compile_mib: 1_024,
            failure: FailureRule::KeepLastGood,
            threads: 0,
        }
    }
}

impl GuestConfig {
    /// Bytes of the largest component file.
    pub fn most_file_bytes(&self) -> u64 {
        self.file_mib << 20
    }

    /// Checks ranges.
    ///
    /// # Errors
    /// Names the field, its value and the range that it must lie in.
    pub fn validate(&self) -> Result<(), String> {
        let ranges = [
            ("fuel_per_call", self.fuel_per_call, 1_000, u64::MAX / 2),
            ("fuel_per_request", self.fuel_per_request, 1_000, u64::MAX / 2),
            ("deadline_ms", self.deadline_ms, 1, 86_400_000),
            ("memory_mib", self.memory_mib, 1, 4_096),
            ("stack_kib", self.stack_kib, 16, 1_024),
            ("output_mib", self.output_mib, 1, 4_096),
            ("file_mib", self.file_mib, 1, 4_096),
            ("function_kib", self.function_kib, 1, 1 << 20),
            ("function_locals", self.function_locals, 1, 50_000),
            ("functions", self.functions, 1, 1_000_000),
            ("code_mib", self.code_mib, 1, 4_096),
            ("compile_s", self.compile_s, 1, 86_400),
            ("compile_mib", self.compile_mib, 16, 1 << 20),
            ("threads", self.threads as u64, 0, 1_024),
        ];
        for (field, value, least, most) in ranges {
            if value < least || value > most {
                return Err(format!("guest.{field} is {value}, must lie in {least}..={most}"));
            }
        }
        Ok(())
    }
}

/// Who answers a call after a policy's fault.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum FailureRule {
    /// The component that the faulty one took the slot from, until the faulty one has answered every function of the
    /// slot well once: the slot goes back to it. Otherwise the built-in default answers this one call.
    KeepLastGood,
    /// The built-in default answers this one call; the component keeps the slot.
    BuiltIn,
    /// The run stops.
    Stop,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_written_in_kebab_case() {
        let config = GuestConfig::default();
        assert_eq!(config.validate(), Ok(()));
        let text = toml::to_string(&config).unwrap();
        assert!(text.contains("failure = \"keep-last-good\""), "{text}");
        assert_eq!(toml::from_str::<GuestConfig>(&text).unwrap(), config);
    }

    #[test]
    fn a_field_out_of_range_is_named() {
        let config = GuestConfig { stack_kib: 4_096, ..GuestConfig::default() };
        assert_eq!(config.validate(), Err("guest.stack_kib is 4096, must lie in 16..=1024".to_owned()));
        assert!(toml::from_str::<GuestConfig>("fuel = 3").is_err());
    }
}
