//! How a command ends: exit codes, and the line that says what went wrong with its whole chain of causes.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything was done.
    Done,
    /// The command failed.
    Failed,
    /// The command was called or configured wrongly; nothing was done.
    Usage,
    /// Everything was done that could be; some of the input was refused.
    SomeRefused,
    /// A verification found what only somebody can have done.
    Tampered,
    /// A verification found what a disk may have done.
    Damaged,
    /// A verification could not be carried through.
    Unchecked,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Done => 0u8,
            Outcome::Failed => 1,
            Outcome::Usage => 2,
            Outcome::SomeRefused => 3,
            Outcome::Tampered => 10,
            Outcome::Damaged => 11,
            Outcome::Unchecked => 12,
        })
    }
}

/// A wrong call or configuration: what to change, in words the caller can act on.
#[derive(Debug)]
pub(crate) struct UsageError(pub(crate) String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

/// Makes a usage error.
pub(crate) fn usage(message: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(UsageError(message.into()))
}

/// Writes what went wrong to stderr, once, and returns how the command ended.
pub(crate) fn report(error: &anyhow::Error) -> Outcome {
    if reader_left(error) {
        return Outcome::Done;
    }
    eprintln!("sokhoe: {}", chain(error));
    if error.downcast_ref::<UsageError>().is_some() {
        Outcome::Usage
    } else {
        Outcome::Failed
    }
}

/// The message with all its causes; a cause that its parent's text already ends with is not repeated.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let message = cause.to_string();
        if text.ends_with(&message) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&message);
    }
    text
}

/// Says whether the failure is only that nobody reads the output any more.
fn reader_left(error: &anyhow::Error) -> bool {
    let of_pipe = |cause: &(dyn std::error::Error + 'static)| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
    };
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| of_pipe(error))
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn the_whole_chain_is_told_once() {
        let inner = io::Error::other("disk full");
        let error = Err::<(), _>(inner)
            .context("write a.list")
            .context("load list a")
            .unwrap_err();
        assert_eq!(chain(&error), "load list a: write a.list: disk full");
    }

    #[test]
    fn a_wrong_call_is_told_apart_from_a_failure() {
        assert_eq!(report(&usage("name a folder")), Outcome::Usage);
        assert_eq!(
            report(&anyhow::anyhow!("the disk is gone")),
            Outcome::Failed
        );
    }
}
