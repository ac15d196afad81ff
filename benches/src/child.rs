//! The real `sokhoe` beside a bench: the bench's own program, called again as the command line.
//!
//! So one build holds both, and what is measured is a process of its own, as users have it.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

use anyhow::{Context as _, bail};

/// The first argument that makes a bench's program be `sokhoe`.
const WORD: &str = "sokhoe";

/// Runs `sokhoe` and returns its exit code, when this process was started as that.
#[must_use]
pub fn as_sokhoe() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1).peekable();
    let called = arguments.peek().is_some_and(|word| word == WORD);
    called.then(|| sokhoe_cli::main(arguments, sokhoe_cli::Platform::default()))
}

fn command(arguments: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg(WORD)
        .args(arguments.iter().map(OsString::from))
        .stdin(Stdio::null());
    Ok(command)
}

/// Runs a command to its end and returns what it printed.
///
/// # Errors
/// When it fails; an import that refused some items does not.
pub fn run(arguments: &[&str]) -> anyhow::Result<String> {
    let output = command(arguments)?.stderr(Stdio::inherit()).output()?;
    if !matches!(output.status.code(), Some(0 | 3)) {
        bail!(
            "sokhoe {} ended with {}",
            arguments.join(" "),
            output.status
        );
    }
    String::from_utf8(output.stdout).context("read the command's output")
}

/// A server of a data folder, stopped when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Host and port.
    pub address: String,
}

impl Server {
    /// Serves a data folder on any free port of this machine.
    ///
    /// # Errors
    /// When it ends before it listens.
    pub fn start(data: &Path) -> anyhow::Result<Self> {
        let data = data.to_str().context("a data folder in UTF-8")?;
        Self::run(&["serve", "--data", data, "--listen", "127.0.0.1:0"])
    }

    /// Runs any command that serves, until it says where it listens.
    ///
    /// # Errors
    /// When it ends before it listens.
    pub fn run(arguments: &[&str]) -> anyhow::Result<Self> {
        let mut command = command(arguments)?;
        let mut child = command
            .env("RUST_LOG", "error")
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().context("the server's output")?;
        for line in BufReader::new(output).lines() {
            let line = line?;
            if let Some((_, address)) = line.split_once("http://") {
                let address = address
                    .split_whitespace()
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                return Ok(Self { child, address });
            }
        }
        bail!("the server ended: {}", child.wait()?)
    }

    /// Ends the server at once, as a failure of the power would end the process.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Returns the bytes of memory that the server holds.
    #[must_use]
    pub fn memory_bytes(&self) -> f64 {
        crate::machine::memory_bytes(&self.child.id().to_string())
    }

    /// Returns the seconds of processor time that the server has used.
    #[must_use]
    pub fn cpu_s(&self) -> f64 {
        crate::machine::cpu_s(&self.child.id().to_string())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        let _ = self.child.wait();
    }
}
