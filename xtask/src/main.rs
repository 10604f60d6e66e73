//! `cargo xtask COMMAND`: what a developer runs besides cargo itself. One module a command.

use std::process::ExitCode;

use anyhow::Result;

mod bench;
mod bindings;
mod book;
mod demo;
mod imports;
mod layers;
mod links;
mod policies;
mod sdk_deps;
mod test;
mod workspace;

/// Runs a command with the arguments behind its name.
type Run = fn(&[String]) -> Result<()>;

/// Name, what it does, and the function that does it.
const COMMANDS: &[(&str, &str, Run)] = &[
    ("demo", "build the policies and train the embedded model with ExGRPO", demo::run),
    ("test", "build the policies and run all tests", test::run),
    ("bench", "measure the engine beside PyTorch and TRL; --help says how", bench::run),
    ("policies", "build every crate under policies/ to policies/<name>.wasm", policies::run),
    ("bindings", "generate guest-sdk/src/bindings from the WIT; --check compares only", bindings::run),
    ("book", "build the documentation's site to target/book and check its links", book::run),
    ("layers", "check what each of the host's crates may depend on", layers::run),
    ("sdk-deps", "check that guest-sdk stays free of the host's dependencies", sdk_deps::run),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let command = arguments.first().and_then(|name| COMMANDS.iter().find(|(known, ..)| known == name));
    let Some((_, _, run)) = command else {
        say(&usage(arguments.first()));
        return ExitCode::FAILURE;
    };
    match run(&arguments[1..]) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn usage(unknown: Option<&String>) -> String {
    let mut text = String::new();
    if let Some(name) = unknown {
        text += &format!("there is no command `{name}`\n");
    }
    text += "usage: cargo xtask COMMAND\n";
    for (name, summary, _) in COMMANDS {
        text += &format!("\n  {name:<10} {summary}");
    }
    text
}

/// Progress and errors, for people: standard error, so that standard output stays free for data.
#[expect(clippy::print_stderr, reason = "a command-line tool's messages")]
pub(crate) fn say(message: &str) {
    eprintln!("{message}");
}
