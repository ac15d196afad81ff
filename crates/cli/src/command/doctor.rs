//! `sokhoe doctor`: looks at what a server would stand on and says what is wrong, one line for each thing.
//! Takes no lock and changes nothing but a file of its own that it removes again.

mod disk;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::process::{Resource, getrlimit};
use serde::Serialize;
use serde_json::json;
use sokhoe_storage::{LogStatus, OpenedReadOnly};
use sokhoe_vault::{LogSecrets, check_key_files};

use crate::arguments::DoctorArguments;
use crate::clock;
use crate::config::{Config, Folders};
use crate::failure::{self, Outcome};
use crate::folder;
use crate::output::Output;

/// Open files that a server with its default connections and segments can need.
const OPEN_FILES_MIN: u64 = 4_096;
/// 1 January 2025 and 2100: a clock outside was never set.
const CLOCK_S_MIN: i64 = 1_735_689_600;
const CLOCK_S_MAX: i64 = 4_102_444_800;

/// How a thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Good,
    Doubtful,
    Bad,
}

#[derive(Debug, Clone, Serialize)]
struct Finding {
    thing: &'static str,
    verdict: Verdict,
    detail: String,
}

impl Finding {
    fn new(thing: &'static str, verdict: Verdict, detail: impl Into<String>) -> Self {
        Self {
            thing,
            verdict,
            detail: detail.into(),
        }
    }
}

pub(crate) fn run(
    arguments: &DoctorArguments,
    config: &Config,
    output: &mut Output,
) -> anyhow::Result<Outcome> {
    let mut findings = vec![open_files()];
    let mut vkey = None;
    match config.data {
        None => findings.push(clock_finding(None)),
        Some(_) => {
            let folders = config.folders()?;
            look_at_folders(&folders, &mut findings, &mut vkey);
        }
    }
    findings.push(listening(config));
    findings.push(tokens(config));
    if arguments.json {
        output.json(&json!({ "findings": findings, "vkey": vkey }))?;
    } else {
        let row = |finding: &Finding| {
            let verdict = match finding.verdict {
                Verdict::Good => "good",
                Verdict::Doubtful => "look",
                Verdict::Bad => "BAD",
            };
            [
                verdict.to_owned(),
                finding.thing.to_owned(),
                finding.detail.clone(),
            ]
        };
        let rows: Vec<_> = findings.iter().map(row).collect();
        output.table(["is", "thing", "detail"], &rows)?;
    }
    let bad = findings
        .iter()
        .any(|finding| finding.verdict == Verdict::Bad);
    Ok(if bad { Outcome::Failed } else { Outcome::Done })
}

fn listening(config: &Config) -> Finding {
    let address = config.listen;
    let Some(tls) = &config.tls else {
        let detail = format!("{address}, loopback only: without TLS it listens nowhere else");
        return Finding::new("listening", Verdict::Good, detail);
    };
    match tls.check() {
        Ok(()) => Finding::new("listening", Verdict::Good, format!("{address}, TLS")),
        Err(error) => {
            let chain = failure::chain(&anyhow::Error::new(error));
            Finding::new(
                "listening",
                Verdict::Bad,
                format!("{address}, TLS: {chain}"),
            )
        }
    }
}

fn tokens(config: &Config) -> Finding {
    let providers = config.trust.providers.len();
    match config.trust.check() {
        Ok((keys, revoked)) => {
            let detail = format!(
                "the built-in issuer and {providers} providers with {keys} keys; {revoked} ids revoked"
            );
            Finding::new("tokens", Verdict::Good, detail)
        }
        Err(error) => {
            let chain = failure::chain(&anyhow::Error::new(error));
            Finding::new("tokens", Verdict::Bad, chain)
        }
    }
}

fn look_at_folders(folders: &Folders, findings: &mut Vec<Finding>, vkey: &mut Option<String>) {
    let Folders { data, keys } = folders;
    if !data.exists() {
        let detail = format!(
            "{} is not there; serve, import or demo makes a new one",
            data.display()
        );
        findings.push(Finding::new("data folder", Verdict::Bad, detail));
        findings.push(clock_finding(None));
        return;
    }
    findings.push(permissions(data));
    findings.push(disk::space(data));
    findings.push(disk::sync_latency(data));
    findings.push(catalogue(data));
    match folder::read_only(data) {
        Err(error) => {
            findings.push(Finding::new("log", Verdict::Bad, failure::chain(&error)));
            findings.push(clock_finding(None));
        }
        Ok(opened) => {
            let recorded_at_us = opened.reader.durable().recorded_at_us;
            findings.push(clock_finding(Some(recorded_at_us)));
            findings.push(log(&opened));
            findings.push(look_at_keys(keys, &opened, vkey));
        }
    }
}

fn clock_finding(last_recorded_us: Option<i64>) -> Finding {
    let now_us = clock::now_us();
    let now = sokhoe_record::Instant::from_micros(now_us);
    let now_s = now_us.div_euclid(1_000_000);
    let finding = |verdict, detail: String| Finding::new("clock", verdict, detail);
    if !(CLOCK_S_MIN..CLOCK_S_MAX).contains(&now_s) {
        return finding(
            Verdict::Bad,
            format!("{now}: the system's clock is not set"),
        );
    }
    match last_recorded_us {
        Some(last) if last > now_us => {
            let behind_s = (last - now_us).div_euclid(1_000_000);
            let detail = format!("{now}: {behind_s} s behind the last event of the log");
            finding(Verdict::Bad, detail)
        }
        _ => finding(Verdict::Good, now.to_string()),
    }
}

fn open_files() -> Finding {
    let limit = getrlimit(Resource::Nofile).current;
    match limit {
        Some(files) if files < OPEN_FILES_MIN => {
            let detail = format!("{files}; at least {OPEN_FILES_MIN} are wanted (ulimit -n)");
            Finding::new("open files", Verdict::Doubtful, detail)
        }
        Some(files) => Finding::new("open files", Verdict::Good, files.to_string()),
        None => Finding::new("open files", Verdict::Good, "unlimited"),
    }
}

fn permissions(data: &Path) -> Finding {
    let finding = |verdict, detail: String| Finding::new("data folder", verdict, detail);
    match fs::metadata(data) {
        Err(error) => finding(Verdict::Bad, format!("{}: {error}", data.display())),
        Ok(metadata) => {
            let mode = metadata.permissions().mode() & 0o777;
            let shown = format!("{} has mode {mode:o}", data.display());
            if mode & 0o022 != 0 {
                finding(
                    Verdict::Bad,
                    format!("{shown}: others can write; chmod go-w"),
                )
            } else if mode & 0o007 != 0 {
                finding(
                    Verdict::Doubtful,
                    format!("{shown}: everybody can read; chmod o-rwx"),
                )
            } else {
                finding(Verdict::Good, shown)
            }
        }
    }
}

fn catalogue(data: &Path) -> Finding {
    match sokhoe_catalogue::open_folder(data) {
        Ok(catalogue) => {
            let detail = format!("{} lists", catalogue.lists().len());
            Finding::new("catalogue", Verdict::Good, detail)
        }
        Err(error) => Finding::new(
            "catalogue",
            Verdict::Bad,
            failure::chain(&anyhow::Error::new(error)),
        ),
    }
}

fn log(opened: &OpenedReadOnly) -> Finding {
    let reader = &opened.reader;
    let position = reader.position();
    let detail = format!("{position} events in {} streams", reader.streams());
    if let Some(damage) = &opened.damage {
        let damage = format!("damaged after {position} events: {damage}");
        return Finding::new("log", Verdict::Bad, damage);
    }
    match (&opened.recovery.torn, reader.status()) {
        (_, LogStatus::Stopped(failure)) => {
            Finding::new("log", Verdict::Bad, format!("{detail}; {failure}"))
        }
        (Some(_), _) => {
            let torn = "; an unfinished group at its end, being written now or cut by a crash";
            Finding::new("log", Verdict::Good, format!("{detail}{torn}"))
        }
        (None, _) => Finding::new("log", Verdict::Good, detail),
    }
}

fn look_at_keys(keys: &Path, opened: &OpenedReadOnly, vkey: &mut Option<String>) -> Finding {
    let meta = opened.reader.meta();
    let mut look = || -> anyhow::Result<String> {
        let checked = check_key_files(keys, meta.log_id)?;
        let secrets = LogSecrets::load(keys, meta.log_id)?;
        let signer = secrets.signer(&meta.origin)?;
        *vkey = Some(signer.verifier().to_string());
        Ok(format!(
            "{} holds {} stream keys in {} files",
            keys.display(),
            checked.keys,
            checked.files
        ))
    };
    match look() {
        Ok(detail) => Finding::new("keys", Verdict::Good, detail),
        Err(error) => Finding::new("keys", Verdict::Bad, failure::chain(&error)),
    }
}
