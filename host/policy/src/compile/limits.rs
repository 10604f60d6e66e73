//! How much code a policy may consist of. A compiler's time and memory grow faster than a function's size, so that the
//! largest function matters more than the file.

use wasmparser::{FunctionBody, Parser, Payload};

use crate::config::GuestConfig;

/// Checks sizes of `wasm`, a component or a core module, before anybody compiles it. Reads every byte once.
///
/// # Errors
/// Says what is too large and which key of the configuration allows how much, or where the bytes are no WebAssembly.
pub(super) fn check(wasm: &[u8], config: &GuestConfig) -> Result<(), String> {
    if !wasm.starts_with(b"\0asm") {
        return Err("it is no WebAssembly file".to_owned());
    }
    let damaged = |error: wasmparser::BinaryReaderError| format!("it is no valid WebAssembly file: {error}");
    let (mut functions, mut code) = (0u64, 0u64);
    // Components contain modules and components; the parser goes into all of them.
    for payload in Parser::new(0).parse_all(wasm) {
        let Payload::CodeSectionEntry(body) = payload.map_err(damaged)? else { continue };
        functions += 1;
        let range = body.range();
        let bytes = range.end.saturating_sub(range.start);
        code += bytes;
        within("a function of", bytes, "bytes", "function_kib", config.function_kib << 10)?;
        let locals = locals(&body).map_err(damaged)?;
        within("a function with", locals, "locals", "function_locals", config.function_locals)?;
    }
    within("it has", functions, "functions", "functions", config.functions)?;
    within("it has", code, "bytes of code", "code_mib", config.code_mib << 20)
}

fn within(what: &str, count: u64, unit: &str, key: &str, most: u64) -> Result<(), String> {
    if count > most {
        return Err(format!("{what} {count} {unit}, guest.{key} allows {most}"));
    }
    Ok(())
}

/// Locals that a function declares, its parameters aside.
fn locals(body: &FunctionBody<'_>) -> wasmparser::Result<u64> {
    body.get_locals_reader()?.into_iter().try_fold(0, |sum, group| Ok(sum + u64::from(group?.0)))
}
