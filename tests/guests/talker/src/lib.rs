//! A policy that logs wherever it is asked something: described, configured, made, restored, called.

use exgrpo_guest_sdk::parameters::{Parameter, Values};
use exgrpo_guest_sdk::{Decision, Parameters, Policy, ProblemColumns, Result, Retirement, State, log};

/// Parameters that are none, and say when they are looked at.
pub struct Silent;

impl Parameters for Silent {
    fn declared() -> Vec<Parameter> {
        Vec::new()
    }

    fn schema() -> String {
        log::info("described");
        String::new()
    }

    fn parse(_text: &str) -> Result<Self> {
        log::info("configured");
        Ok(Self)
    }

    fn from_values(_values: Values) -> Result<Self> {
        Ok(Self)
    }
}

/// See the crate's documentation.
pub struct Talker;

impl Policy for Talker {
    type Parameters = Silent;

    fn new(_: Silent) -> Result<Self> {
        log::warn("made");
        Ok(Self)
    }
}

impl Retirement for Talker {
    fn decide(&self, problems: &ProblemColumns, step: u32) -> Result<Vec<Decision>> {
        log::info(&format!("asked at step {step}"));
        Ok(vec![Decision::Keep; problems.len()])
    }
}

impl State for Talker {
    fn snapshot(&self) -> Result<Vec<u8>> {
        log::debug("kept");
        Ok(Vec::new())
    }

    fn restore(&self, _data: &[u8]) -> Result<()> {
        log::debug("restored");
        Ok(())
    }
}

exgrpo_guest_sdk::export!(Talker: Retirement, State);
