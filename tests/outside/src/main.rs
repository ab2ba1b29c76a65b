//! A binary of one's own: the kinds of the example, in a crate that is no member of Tapline's workspace.
//!
//! With arguments it is that Tapline. Without any it starts itself as `run` on the example's input, is the server that
//! the sink writes to, and compares what came. To be started in the root of the repository.

#[allow(
    dead_code,
    reason = "the example's own `main` is not called, only its `program`"
)]
#[path = "../../../extension/examples/custom_sink.rs"]
mod custom_sink;

use std::io::{Error, Read, Result};
use std::net::TcpListener;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    if std::env::args_os().len() > 1 {
        return custom_sink::program().main();
    }
    match run_and_compare() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("outside: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run_and_compare() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut child = Command::new(std::env::current_exe()?)
        .args(["run", "extension/examples/custom_sink.toml"])
        .args(["--input", "extension/examples/custom_sink.json"])
        .env("LINES_ADDRESS", listener.local_addr()?.to_string())
        .spawn()?;
    // The backlog takes the connection; the few bytes fit into its buffer until the child is done.
    let status = child.wait()?;
    if !status.success() {
        return Err(Error::other(format!("`run` ended with {status}")));
    }
    let mut came = String::new();
    listener.accept()?.0.read_to_string(&mut came)?;
    let records = came
        .lines()
        .filter_map(|line| Some(&line[line.find("\"record\"")?..]));
    let wanted = std::fs::read_to_string("extension/examples/custom_sink.txt")?;
    if records.ne(wanted.lines()) {
        return Err(Error::other(format!(
            "wanted\n{wanted}but there came\n{came}"
        )));
    }
    println!("outside: the sink got what the transform made\n{came}");
    Ok(())
}
