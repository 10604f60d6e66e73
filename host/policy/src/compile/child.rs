//! The child that compiles: how it is started, asked and given up, and what it does.
//!
//! It is the program of this very process, started with a command that help doesn't show. Settings and policy go to its
//! standard input; its standard output is one byte, which says whether it compiled or refused, and then the compiled
//! component or the reason. Everything is sent after its length, so that what is cut short is known to be. The child's
//! input is closed once its parent has ended, however that ended, and then it ends too.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, ExitCode, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use super::{Settings, check};
use crate::config::GuestConfig;
use crate::engine;
use exgrpo_core::atomic;
use exgrpo_core::signals;

/// Name of the hidden command.
pub const COMMAND: &str = "compile-policy";

/// First byte of an answer.
const COMPILED: u8 = 0;
const REFUSED: u8 = 1;

/// Most bytes of settings, far more than they take.
const MOST_SETTINGS: u64 = 1 << 16;

/// Seconds of processor time beyond the limit in wall time after which the system ends the child.
const GRACE_S: u64 = 2;

/// Variables that the child keeps: where the system looks for the libraries of a program.
const KEPT_VARIABLES: [&str; 3] = ["LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SystemRoot"];

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Says that this process's program answers to [`COMMAND`].
pub fn is_the_compiler() {
    let program = match cfg!(target_os = "linux") {
        // Still the program that runs when a new build has replaced its file.
        true => Some(PathBuf::from("/proc/self/exe")).filter(|program| program.exists()),
        false => std::env::current_exe().ok(),
    };
    // Where the system doesn't say what runs, the process compiles for itself.
    if let Some(program) = program {
        PROGRAM.get_or_init(|| program);
    }
}

/// The program that compiles, if there is one.
pub(super) fn program() -> Option<&'static Path> {
    PROGRAM.get().map(PathBuf::as_path)
}

/// Has a child of `program` compile.
///
/// # Errors
/// The child's refusal, or why there is no answer.
pub(super) fn compile(program: &Path, settings: &Settings, wasm: &[u8]) -> Result<Vec<u8>, String> {
    let failed = |error: io::Error| format!("its compiler can't be started: {error}{}", atomic::hint(&error));
    let encoded =
        serde_json::to_vec(&(&*settings.guest, settings.is_pooled)).map_err(|error| failed(error.into()))?;
    let kept = KEPT_VARIABLES.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    let mut child = Command::new(program)
        .arg(COMMAND)
        .env_clear()
        .envs(kept)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err("its compiler has no pipes".to_owned());
    };
    let most = settings.guest.compile_mib << 20;
    let (sender, receiver) = channel();
    let answer = std::thread::scope(|scope| {
        let exchange = || sender.send(exchange(stdin, stdout, &encoded, wasm, most));
        let asked = std::thread::Builder::new().name("compile".to_owned()).spawn_scoped(scope, exchange);
        let answer = match asked {
            Ok(_) => receiver.recv_timeout(Duration::from_secs(settings.guest.compile_s)),
            Err(_) => Err(RecvTimeoutError::Disconnected),
        };
        // There is an answer, or there is none to wait for: the pipes are closed now, which ends the thread. That the
        // child has ended already is no error.
        let _ = child.kill();
        answer
    });
    let status = child.wait();
    match answer {
        Ok(Ok((COMPILED, compiled))) => Ok(compiled),
        Ok(Ok((REFUSED, reason))) => Err(String::from_utf8_lossy(&reason).into_owned()),
        Err(RecvTimeoutError::Timeout) => Err(too_late(&settings.guest)),
        _ => Err(without_answer(status, &settings.guest)),
    }
}

/// Sends the question and reads the answer, of at most `most` bytes. The child's input stays open meanwhile.
fn exchange(
    mut stdin: ChildStdin,
    mut stdout: ChildStdout,
    settings: &[u8],
    wasm: &[u8],
    most: u64,
) -> io::Result<(u8, Vec<u8>)> {
    send(&mut stdin, settings)?;
    send(&mut stdin, wasm)?;
    let mut kind = [0];
    stdout.read_exact(&mut kind)?;
    Ok((kind[0], receive(&mut stdout, most)?))
}

fn send(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    to.write_all(&(bytes.len() as u64).to_le_bytes())?;
    to.write_all(bytes)?;
    to.flush()
}

fn receive(from: &mut impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut len = [0; 8];
    from.read_exact(&mut len)?;
    let len = u64::from_le_bytes(len);
    if len > most {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = Vec::new();
    from.take(len).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

fn too_late(config: &GuestConfig) -> String {
    format!("it is not compiled after {} s, guest.compile_s allows no more", config.compile_s)
}

fn without_answer(status: io::Result<ExitStatus>, config: &GuestConfig) -> String {
    match status {
        #[cfg(unix)]
        Ok(status) if std::os::unix::process::ExitStatusExt::signal(&status).is_some() => {
            let signal = std::os::unix::process::ExitStatusExt::signal(&status);
            if signal == Some(signal_hook::consts::SIGXCPU) {
                return too_late(config);
            }
            format!(
                "its compiler was ended by {status}: it may need more than guest.compile_mib = {} MiB",
                config.compile_mib
            )
        }
        Ok(status) => format!("its compiler gave no answer ({status})"),
        Err(error) => format!("its compiler gave no answer: {error}"),
    }
}

/// What the child does.
pub fn serve() -> ExitCode {
    // Nobody reads what went wrong; that there is no answer is enough.
    match answer() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn answer() -> anyhow::Result<()> {
    // A signal to the whole group, Ctrl-C in a terminal say, is the parent's to act on: it ends the child in time.
    signals::leave_to_parent()?;
    let mut stdin = io::stdin();
    let (guest, is_pooled): (GuestConfig, bool) =
        serde_json::from_slice(&receive(&mut stdin, MOST_SETTINGS)?)?;
    let settings = Settings { guest: guest.into(), is_pooled };
    limit(&settings.guest)?;
    let wasm = receive(&mut stdin, settings.guest.most_file_bytes())?;
    std::thread::Builder::new().name("parent".to_owned()).spawn(move || {
        // Nothing more is sent: this comes back when the parent has ended.
        let _ = stdin.read(&mut [0]);
        std::process::exit(1);
    })?;
    let (kind, bytes) = match compile_here(&settings, &wasm) {
        Ok(compiled) => (COMPILED, compiled),
        Err(reason) => (REFUSED, reason.into_bytes()),
    };
    let mut stdout = io::stdout().lock();
    stdout.write_all(&[kind])?;
    send(&mut stdout, &bytes)?;
    Ok(())
}

fn compile_here(settings: &Settings, wasm: &[u8]) -> Result<Vec<u8>, String> {
    let encoded = check(wasm, &settings.guest)?;
    let engine = engine::for_compiling(settings).map_err(|error| format!("{error:#}"))?;
    engine.precompile_component(&encoded).map_err(|error| format!("{error:#}"))
}

/// Has the system hold this process to the limits of time and memory.
#[cfg(unix)]
fn limit(config: &GuestConfig) -> anyhow::Result<()> {
    use rlimit::Resource;

    let lower = |resource: Resource, most: u64| {
        let (soft, hard) = resource.get()?;
        resource.set(soft.min(most), hard.min(most))
    };
    lower(Resource::CORE, 0)?;
    lower(Resource::CPU, config.compile_s + GRACE_S)?;
    if let Some(taken) = address_space() {
        lower(Resource::AS, taken + (config.compile_mib << 20))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn limit(_config: &GuestConfig) -> anyhow::Result<()> {
    Ok(())
}

/// Bytes of address space that this process takes, where the system says so: program, libraries, the allocator's
/// reserve.
#[cfg(unix)]
fn address_space() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}
