//! What a test orders of the program it starts: `name=value` pairs with spaces between.
//!
//! | name | value |
//! |---|---|
//! | `segment_bytes` | bytes after which a segment is closed |
//! | `cache_every_events` | events after which the heads are written to the cache |
//! | `do` | `kill-before`, `kill-half` (of a write), `kill-after`, `fail`, `fail-half` (of a write), `no-space` |
//! | `call` | at which calls: `write`, `sync`, `sync-dir`, `rename`, `create`, `set-len`, `remove`, or `any` of them |
//! | `at` | only at files whose path holds this, or ends with it when it ends with `$` |
//! | `nth` | at which of these calls, from 1 |
//! | `armed` | a file; calls before it is there are not counted, nor told to the trace |
//! | `trace` | a file that is told each call, with a mark at the one that is met |
//! | `room` | bytes by which all files together may grow |

use std::path::{Path, PathBuf};

/// What happens at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// The program dies before the call.
    KillBefore,
    /// It dies when half of what is to be written is.
    KillHalf,
    /// It dies after the call, before anybody learns of it.
    KillAfter,
    /// The call does nothing and fails with an input/output error.
    Fail,
    /// Half is written, then the call fails.
    FailHalf,
    /// The call does nothing and fails for want of space.
    NoSpace,
}

/// The calls that change a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Write,
    Sync,
    SyncDir,
    Rename,
    Create,
    SetLen,
    Remove,
}

/// At which call something happens.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) act: Act,
    /// `None` is any call.
    pub(crate) call: Option<Call>,
    pub(crate) at: String,
    pub(crate) nth: u64,
}

/// All that is ordered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Orders {
    pub(crate) segment_bytes: Option<u32>,
    pub(crate) cache_every_events: Option<u64>,
    pub(crate) rule: Option<Rule>,
    pub(crate) armed: Option<PathBuf>,
    pub(crate) trace: Option<PathBuf>,
    pub(crate) room: Option<u64>,
}

impl Rule {
    /// Whether a file is one that is meant.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        let path = path.to_string_lossy();
        match self.at.strip_suffix('$') {
            Some(end) => path.ends_with(end),
            None => path.contains(&self.at),
        }
    }
}

impl Call {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Sync => "sync",
            Self::SyncDir => "sync-dir",
            Self::Rename => "rename",
            Self::Create => "create",
            Self::SetLen => "set-len",
            Self::Remove => "remove",
        }
    }

    fn read(word: &str) -> Result<Option<Self>, String> {
        let all = [
            Self::Write,
            Self::Sync,
            Self::SyncDir,
            Self::Rename,
            Self::Create,
            Self::SetLen,
            Self::Remove,
        ];
        match all.into_iter().find(|call| call.word() == word) {
            None if word != "any" => Err(format!("there is no call {word}")),
            found => Ok(found),
        }
    }
}

impl Act {
    fn read(word: &str) -> Result<Self, String> {
        Ok(match word {
            "kill-before" => Self::KillBefore,
            "kill-half" => Self::KillHalf,
            "kill-after" => Self::KillAfter,
            "fail" => Self::Fail,
            "fail-half" => Self::FailHalf,
            "no-space" => Self::NoSpace,
            _ => return Err(format!("nobody can {word}")),
        })
    }
}

impl Orders {
    /// Reads the pairs; a test that misspells one learns it at once.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut orders = Self::default();
        let (mut act, mut call, mut at, mut nth) = (None, None, String::new(), 1);
        for pair in text.split_whitespace() {
            let (name, value) = pair
                .split_once('=')
                .ok_or_else(|| format!("{pair} has no value"))?;
            let number = || -> Result<u64, String> {
                value
                    .parse()
                    .map_err(|_| format!("{name}={value} is no number"))
            };
            match name {
                "segment_bytes" => {
                    let bytes = u32::try_from(number()?).map_err(|error| error.to_string())?;
                    orders.segment_bytes = Some(bytes);
                }
                "cache_every_events" => orders.cache_every_events = Some(number()?),
                "do" => act = Some(Act::read(value)?),
                "call" => call = Call::read(value)?,
                "at" => value.clone_into(&mut at),
                "nth" => nth = number()?,
                "armed" => orders.armed = Some(value.into()),
                "trace" => orders.trace = Some(value.into()),
                "room" => orders.room = Some(number()?),
                _ => return Err(format!("there is no order {name}")),
            }
        }
        orders.rule = act.map(|act| Rule { act, call, at, nth });
        Ok(orders)
    }
}
