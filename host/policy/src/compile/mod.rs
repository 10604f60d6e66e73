//! From a policy's bytes to machine code, under limits of size, time and memory.
//!
//! Nobody can say beforehand what compiling a file takes: minutes and gigabytes are easily asked for. So a process of
//! the command line compiles in a child of its own, which may be killed at any moment and takes no thread of the training
//! loop's pool. Where there is no such program (the host as a library), the process compiles for itself, under the limits
//! of size alone.

mod child;
mod limits;

use std::borrow::Cow;
use std::sync::Arc;

use wasmtime::Engine;
use wasmtime::component::Component;

use super::bindings::INTERFACE;
use super::config::GuestConfig;

pub use child::{COMMAND, is_the_compiler, serve};

/// What decides about the compiled code, apart from the policy.
#[derive(Debug)]
pub(super) struct Settings {
    /// Limits.
    pub(super) guest: Arc<GuestConfig>,
    /// False when memories are allocated on demand, in little address space.
    pub(super) is_pooled: bool,
}

/// The component in `bytes`, ready to be linked.
///
/// # Errors
/// What is wrong with the policy, or why it takes too much to compile.
pub(super) fn compile(engine: &Engine, settings: &Settings, bytes: &[u8]) -> Result<Component, String> {
    let Some(program) = child::program() else {
        let encoded = check(bytes, &settings.guest)?;
        return Component::from_binary(engine, &encoded).map_err(|error| format!("{error:#}"));
    };
    let compiled = child::compile(program, settings, bytes)?;
    // SAFETY: these bytes come over a private pipe from a child that this process started from its own program and that
    // compiled with the same settings: they are what `Engine::precompile_component` of this version gave. wasmtime
    // compares its version and all settings that matter with this engine's before it uses them.
    #[expect(unsafe_code, reason = "loading code that our own child compiled")]
    let component = unsafe { Component::deserialize(engine, &compiled) };
    component.map_err(|error| format!("its compiled form can't be used: {error:#}"))
}

/// A component of allowed size: `bytes` as they are, or encoded when they are a core module.
fn check<'a>(bytes: &'a [u8], config: &GuestConfig) -> Result<Cow<'a, [u8]>, String> {
    limits::check(bytes, config)?;
    encode(bytes)
}

/// Checks the interface descriptions of a core module, components in custom sections. The encoder follows packages that
/// name each other until its stack is used up, which nothing contains; all that a policy names is in one.
fn check_descriptions(module: &[u8]) -> Result<(), String> {
    for payload in wasmparser::Parser::new(0).parse_all(module) {
        let Ok(wasmparser::Payload::CustomSection(section)) = payload else { continue };
        if section.name().starts_with("component-type") {
            wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all())
                .validate_all(section.data())
                .map_err(|error| format!("the interface description in it is damaged: {error}"))?;
            if names_another_package(section.data()) {
                return Err(format!(
                    "the interface description in it names another package than {INTERFACE}"
                ));
            }
        }
    }
    Ok(())
}

/// Whether a name among these bytes has another package than a policy's, or another version of it. Where `:` and `@` are
/// part of no name, what stands around them is no text.
fn names_another_package(description: &[u8]) -> bool {
    let (name, version) = INTERFACE.split_once('@').unwrap_or((INTERFACE, ""));
    let (space, package) = name.split_once(':').unwrap_or((name, ""));
    let is_name =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    description.iter().enumerate().any(|(at, byte)| {
        let (before, behind) = (&description[..at], &description[at + 1..]);
        let is_within = is_name(before.last()) && is_name(behind.first());
        match byte {
            b':' => {
                is_within && !(before.ends_with(space.as_bytes()) && behind.starts_with(package.as_bytes()))
            }
            b'@' => is_within && !behind.starts_with(version.as_bytes()),
            _ => false,
        }
    })
}

/// A component as it is, a core module encoded into one.
fn encode(bytes: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    if wasmparser::Parser::is_component(bytes) {
        return Ok(Cow::Borrowed(bytes));
    }
    if !wasmparser::Parser::is_core_wasm(bytes) {
        return Err("it is no WebAssembly file".to_owned());
    }
    wasmparser::validate(bytes).map_err(|error| format!("it is no valid WebAssembly module: {error}"))?;
    check_descriptions(bytes)?;
    // The encoder panics on some damaged custom sections (wit-component 0.263); nobody's file may end the run.
    std::panic::catch_unwind(|| {
        wit_component::ComponentEncoder::default()
            .validate(true)
            .module(bytes)
            .and_then(|encoder| encoder.encode())
            .map(Cow::Owned)
            .map_err(|error| format!("{error:#}"))
    })
    .unwrap_or_else(|_| Err("the interface description in it is damaged".to_owned()))
    .map_err(|error| {
        format!(
            "its core module can't be made a component: {error}; it must be built with a guest-sdk of this version \
             and import nothing but exgrpo:policy/host-log"
        )
    })
}
