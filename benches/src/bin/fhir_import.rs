//! How many FHIR resources a second `sokhoe import fhir` takes into a new data folder, opening and closing included.
//!
//! The bundles of `$SOKHOE_DATA/health/synthea` are decompressed before and taken several times, each time as another
//! source with people of its own. Counted are resources of the bundles; all must be read and none refused.
#![expect(
    clippy::disallowed_methods,
    reason = "measuring takes the machine's clock"
)]

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use bzip2::read::MultiBzDecoder;
use clap::Parser;
use serde_json::Value;
use sokhoe_benches::numbers::{Samples, grouped};
use sokhoe_benches::report::{self, Begun, Report};
use sokhoe_benches::{child, machine};

#[derive(Debug, Parser)]
struct Arguments {
    /// Where the data lies and is removed again; its disk is what is measured.
    #[arg(long, default_value = "target/benches")]
    folder: PathBuf,
    /// The least resources to import; whole copies of the corpus are taken.
    #[arg(long, default_value_t = 100_000)]
    resources: u64,
    /// Turns, each into a new data folder.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Keep the output as `benches/runs/<name>.txt`.
    #[arg(long)]
    keep: Option<String>,
}

fn main() -> anyhow::Result<ExitCode> {
    if let Some(code) = child::as_sokhoe() {
        return Ok(code);
    }
    let arguments = Arguments::parse();
    let shared = std::env::var("SOKHOE_DATA").context("name the shared data in SOKHOE_DATA")?;
    let Begun {
        mut report, folder, ..
    } = report::begin(
        "# fhir_import: resources of decompressed bundles into a new data folder",
        &arguments.folder,
    )?;

    let corpus = Corpus::read(&Path::new(&shared).join("health/synthea"))?;
    let copies = arguments.resources.div_ceil(corpus.resources);
    let (input, bytes) = corpus.write(&folder.path().join("input"), copies)?;
    report.title(&format!(
        "{copies} copies of {} bundles: {} resources, {:.0} MB",
        corpus.bundles.len(),
        grouped((copies * corpus.resources) as f64),
        bytes as f64 / 1e6
    ));
    report.line("turn   resources/s   MB/s   seconds   CPU seconds   events/s      accepted   kept whole   refused");
    let mut rates = Samples::default();
    for round in 1..=arguments.rounds {
        let data = folder.path().join(format!("data-{round}"));
        rates.add(turn(&mut report, round, &input, bytes, &data)?);
        fs::remove_dir_all(&data)?;
    }
    report.line(format!(
        "median {} resources/s ({} to {})",
        grouped(rates.median()),
        grouped(rates.min()),
        grouped(rates.max())
    ));
    if let Some(name) = &arguments.keep {
        report.keep(name)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Imports everything once and returns the resources a second.
fn turn(
    report: &mut Report,
    round: u32,
    input: &Path,
    bytes: u64,
    data: &Path,
) -> anyhow::Result<f64> {
    let text = |path: &Path| path.to_str().map(str::to_owned).context("a path in UTF-8");
    let (input, data) = (text(input)?, text(data)?);
    let cpu_before = machine::children_cpu_s();
    let start = Instant::now();
    let printed = child::run(&["import", "fhir", &input, "--data", &data, "--json"])?;
    let seconds = start.elapsed().as_secs_f64();
    let cpu_s = machine::children_cpu_s() - cpu_before;
    let summary: Value = serde_json::from_str(printed.trim()).context("read the summary")?;
    let count = |name: &str| summary[name].as_f64().unwrap_or(0.0);
    ensure!(
        count("refused") == 0.0,
        "some resources were refused: {summary}"
    );
    let rate = count("read") / seconds;
    report.line(format!(
        "{round:<7}{:>11}{:>7.0}{seconds:>10.2}{cpu_s:>14.2}{:>11}{:>14}{:>13}{:>10}",
        grouped(rate),
        bytes as f64 / 1e6 / seconds,
        grouped(count("position") / seconds),
        grouped(count("accepted")),
        grouped(count("kept_whole")),
        grouped(count("refused")),
    ));
    Ok(rate)
}

/// The bundles as they came, decompressed.
struct Corpus {
    bundles: Vec<(String, String)>,
    resources: u64,
}

impl Corpus {
    fn read(folder: &Path) -> anyhow::Result<Self> {
        let mut corpus = Self {
            bundles: Vec::new(),
            resources: 0,
        };
        let listed = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
        for entry in listed {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "bz2") {
                continue;
            }
            let mut text = String::new();
            MultiBzDecoder::new(File::open(&path)?).read_to_string(&mut text)?;
            let bundle: Value = serde_json::from_str(&text)?;
            corpus.resources += bundle["entry"].as_array().map_or(0, Vec::len) as u64;
            let name = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            corpus.bundles.push((name, text));
        }
        corpus.bundles.sort();
        Ok(corpus)
    }

    /// Writes copies, with people and resources of their own: the hexadecimal digits of every id are turned.
    fn write(&self, folder: &Path, copies: u64) -> anyhow::Result<(PathBuf, u64)> {
        fs::create_dir_all(folder)?;
        let mut bytes = 0;
        for copy in 0..copies {
            for (name, text) in &self.bundles {
                let text = renamed(text, copy);
                bytes += text.len() as u64;
                fs::write(folder.join(format!("{copy:03}-{name}")), text)?;
            }
        }
        Ok((folder.to_owned(), bytes))
    }
}

/// Gives every UUID and identifying number of a bundle another value, the same for the same in every bundle of a copy.
fn renamed(text: &str, copy: u64) -> String {
    if copy == 0 {
        return text.to_owned();
    }
    let mut bytes = text.as_bytes().to_vec();
    let mut at = 0;
    while at + 36 <= bytes.len() {
        if uuid(&bytes[at..at + 36]) {
            for (digit, turn) in bytes[at..at + 8]
                .iter_mut()
                .zip(format!("{copy:08x}").bytes())
            {
                *digit = turned(*digit, turn);
            }
            at += 36;
        } else {
            at += 1;
        }
    }
    let mut text = String::from_utf8(bytes).unwrap_or_default();
    // Social security numbers, driving licences and passports of the corpus name one person each.
    for prefix in ["\"999-", "\"S999", "\"X"] {
        text = number_after(&text, prefix, copy);
    }
    text
}

/// Adds two hexadecimal digits without carry.
fn turned(digit: u8, by: u8) -> u8 {
    let value = |digit: u8| (digit as char).to_digit(16).unwrap_or(0);
    let sum = (value(digit) + value(by)) % 16;
    char::from_digit(sum, 16).map_or(digit, |digit| digit as u8)
}

fn uuid(bytes: &[u8]) -> bool {
    bytes.iter().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(byte),
    })
}

/// Appends the copy's number to every string that begins so and goes on with digits.
fn number_after(text: &str, prefix: &str, copy: u64) -> String {
    let mut out = String::with_capacity(text.len() + 1024);
    let mut rest = text;
    while let Some(at) = rest.find(prefix) {
        let after = at + prefix.len();
        let end = rest[after..]
            .find('"')
            .map_or(rest.len(), |end| after + end);
        out.push_str(&rest[..end]);
        let number = &rest[after..end];
        let digits = number
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"-X".contains(&byte));
        if digits && number.len() > 4 {
            out.push_str(&format!("-{copy}"));
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}
