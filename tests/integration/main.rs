//! Integration tests: the real host over shipped policies and hostile guests.

#![expect(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod buckets;
mod command_line;
mod compare;
mod compile_limits;
mod demonstrations;
mod engines;
mod guest_limits;
mod guest_log;
mod guest_slots;
mod guest_swaps;
mod heldout;
mod hostile_inputs;
mod hostile_text;
mod identity;
mod interruptions;
mod models;
mod modules;
mod objectives;
#[cfg(target_os = "linux")]
mod output;
mod own_data;
mod policy_files;
mod policy_tools;
mod pool_rules;
mod process;
mod random_kills;
mod ratios;
mod reading_runs;
mod recorded;
mod run_directory;
mod runs;
mod scarcity;
#[cfg(unix)]
mod signals;
mod swap_command;
mod swap_durable;
mod watched_files;
