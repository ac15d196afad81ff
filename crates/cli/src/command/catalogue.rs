//! `sokhoe catalogue`: takes code lists in, lists them, asks them about a code.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};
use hyper::body::Bytes;
use hyper::{Method, StatusCode};
use serde_json::json;
use sokhoe_catalogue::{
    Catalogue, Check, FILE_BYTES_MAX, Language, LoadSpec, Loaded, Origin, ReadReport, load,
    open_folder, save,
};
use sokhoe_record::{Date, PartialDate};

use crate::arguments::{CatalogueCheck, CatalogueCommand, CatalogueList, CatalogueLoad};
use crate::clock;
use crate::config::Config;
use crate::environment::Environment;
use crate::failure::{Outcome, usage};
use crate::folder;
use crate::output::Output;
use crate::remote::{Client, ServerUrl, percent_encoded, problem};

pub(crate) fn run(
    command: &CatalogueCommand,
    config: &Config,
    environment: &Environment,
    output: &mut Output,
) -> anyhow::Result<Outcome> {
    match command {
        CatalogueCommand::Load(arguments) => load_files(arguments, config, environment, output),
        CatalogueCommand::List(arguments) => list(arguments, config, output),
        CatalogueCommand::Check(arguments) => check(arguments, config, output),
    }
}

fn load_files(
    arguments: &CatalogueLoad,
    config: &Config,
    environment: &Environment,
    output: &mut Output,
) -> anyhow::Result<Outcome> {
    let spec = spec(arguments)?;
    let url = arguments.to.as_deref().map(ServerUrl::parse).transpose()?;
    let folders = match &url {
        None => Some(config.folders()?),
        Some(_) => None,
    };
    // All files are read before the first is stored: a wrong one leaves nothing half done.
    let mut read = Vec::new();
    for path in &arguments.files {
        let file = path.display().to_string();
        let csv = bytes_of(path)?;
        let (list, report) = load(&spec, &file, csv.as_slice())?;
        read.push(ReadFile {
            file,
            csv,
            list,
            report,
        });
    }
    if let Some(url) = url {
        let client = Client::connect(&url, environment);
        let runtime = super::runtime()?;
        let mut client = runtime.block_on(client)?;
        for file in read {
            runtime.block_on(send(&mut client, arguments, &file))?;
            say_loaded(arguments, &file, output)?;
        }
    } else if let Some(folders) = folders {
        let _lock = folder::hold(&folders.data)?;
        for file in read {
            save(&folders.data, &file.list)?;
            say_loaded(arguments, &file, output)?;
        }
    }
    Ok(Outcome::Done)
}

/// A file that is a list.
struct ReadFile {
    file: String,
    csv: Vec<u8>,
    list: Loaded,
    report: ReadReport,
}

/// Reads a file as far as a list may be long; one byte more says that it is longer.
fn bytes_of(path: &Path) -> anyhow::Result<Vec<u8>> {
    let shown = path.display();
    let file = File::open(path).with_context(|| format!("open {shown}"))?;
    let mut csv = Vec::new();
    let read = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut csv);
    read.with_context(|| format!("read {shown}"))?;
    Ok(csv)
}

/// Hands a file over with all that was said and told of it, so that the server reads the same list.
async fn send(
    client: &mut Client,
    arguments: &CatalogueLoad,
    file: &ReadFile,
) -> anyhow::Result<()> {
    let identity = file.list.identity();
    let whole = (arguments.complete || arguments.partial).then(|| arguments.complete.to_string());
    let parameters = [
        ("system", Some(identity.system.clone())),
        ("version", Some(identity.version.clone())),
        ("shape", Some(file.report.shape.to_owned())),
        ("valid_from", arguments.valid_from.clone()),
        ("valid_to", arguments.valid_to.clone()),
        ("complete", whole),
        (
            "code_chars",
            arguments.code_chars.map(|chars| chars.to_string()),
        ),
    ];
    let given = parameters
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", percent_encoded(&value?))));
    let query = given.collect::<Vec<_>>().join("&");
    let path = format!("/v1/catalogue/{}?{query}", percent_encoded(&identity.name));
    let csv = Bytes::from(file.csv.clone());
    let answer = client.send(Method::POST, &path, "text/csv", csv).await?;
    if answer.status != StatusCode::CREATED {
        bail!("{}: {}", file.file, problem(&answer));
    }
    Ok(())
}

fn say_loaded(
    arguments: &CatalogueLoad,
    file: &ReadFile,
    output: &mut Output,
) -> anyhow::Result<()> {
    let ReadFile {
        file, list, report, ..
    } = file;
    let identity = list.identity();
    if arguments.json {
        output.json(&json!({
            "file": file, "name": identity.name, "system": identity.system,
            "version": identity.version, "shape": report.shape,
            "entries": report.taken, "repeated": report.repeated,
        }))?;
        return Ok(());
    }
    let repeated = match report.repeated {
        0 => String::new(),
        count => format!(", {count} repeated rows left out"),
    };
    output.line(format!(
        "{file}: {} {} of {}, {} entries{repeated} (read as {})",
        identity.name, identity.version, identity.system, report.taken, report.shape
    ))?;
    Ok(())
}

fn spec(arguments: &CatalogueLoad) -> anyhow::Result<LoadSpec> {
    let complete = match (arguments.complete, arguments.partial) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    };
    Ok(LoadSpec {
        name: arguments.name.clone(),
        system: arguments.system.clone(),
        version: arguments.list_version.clone(),
        shape: arguments.shape.clone(),
        valid_from: arguments
            .valid_from
            .as_deref()
            .map(|d| day("--valid-from", d))
            .transpose()?,
        valid_to: arguments
            .valid_to
            .as_deref()
            .map(|d| day("--valid-to", d))
            .transpose()?,
        complete,
        code_chars: arguments.code_chars,
    })
}

fn list(
    arguments: &CatalogueList,
    config: &Config,
    output: &mut Output,
) -> anyhow::Result<Outcome> {
    let lists = open(config)?.lists();
    if arguments.json {
        output.json(&json!({ "items": lists }))?;
        return Ok(Outcome::Done);
    }
    let day = |day: Option<Date>| day.map(|day| day.to_string()).unwrap_or_default();
    let rows: Vec<_> = lists
        .iter()
        .map(|list| {
            let origin = match list.origin {
                Origin::BuiltIn => "built in",
                Origin::Loaded => "loaded",
            };
            let whole = match (list.kind, list.complete) {
                ("crosswalk", _) => "crosswalk",
                (_, true) => "complete",
                (_, false) => "part",
            };
            [
                list.identity.system.clone(),
                list.identity.name.clone(),
                list.identity.version.clone(),
                day(list.valid_from),
                day(list.valid_to),
                list.entries.to_string(),
                whole.to_owned(),
                origin.to_owned(),
            ]
        })
        .collect();
    let header = [
        "system", "list", "version", "from", "to", "entries", "is", "origin",
    ];
    output.table(header, &rows)?;
    Ok(Outcome::Done)
}

fn check(
    arguments: &CatalogueCheck,
    config: &Config,
    output: &mut Output,
) -> anyhow::Result<Outcome> {
    let catalogue = open(config)?;
    let on = match &arguments.day {
        Some(text) => day("--day", text)?,
        None => today(),
    };
    let (system, code) = (&arguments.system, &arguments.code);
    let verdict = catalogue.check(system, arguments.list_version.as_deref(), code, on);
    let labels: Vec<_> = catalogue.labels_for(system, code).iter().collect();
    let (word, list, sentence) = match verdict {
        Check::Checked { list, entry } => {
            let english = catalogue
                .display(system, code, Language::En)
                .unwrap_or_default();
            let parent = match &*entry.parent {
                "" => String::new(),
                parent => format!(", under {parent}"),
            };
            let named = format!("{} ({english}){parent}", entry.vi);
            ("checked", Some(list), named)
        }
        Check::Unknown { list } => ("unknown", Some(list), "no such code".to_owned()),
        Check::NoList => ("no_list", None, "no list of that day can tell".to_owned()),
    };
    if arguments.json {
        let entry = match verdict {
            Check::Checked { entry, .. } => Some(entry),
            _ => None,
        };
        let successors = catalogue.successors(system, code);
        output.json(&json!({
            "system": system, "code": code, "day": on, "verdict": word, "list": list,
            "entry": entry, "labels": labels, "successors": successors,
        }))?;
    } else {
        let of = list
            .map(|list| format!(" [{} {}]", list.name, list.version))
            .unwrap_or_default();
        let labels = labels
            .iter()
            .map(|label| format!(" +{label}"))
            .collect::<String>();
        output.line(format!("{system} {code} on {on}: {sentence}{of}{labels}"))?;
        let successors = catalogue.successors(system, code);
        if !successors.is_empty() {
            output.line(format!("became {}", successors.join(", ")))?;
        }
    }
    Ok(if word == "unknown" {
        Outcome::SomeRefused
    } else {
        Outcome::Done
    })
}

/// The lists of the data folder, or the built-in ones where no folder is named.
fn open(config: &Config) -> anyhow::Result<Catalogue> {
    Ok(open_folder(
        config.data.as_deref().unwrap_or(Path::new("")),
    )?)
}

fn day(flag: &str, text: &str) -> anyhow::Result<Date> {
    let day = PartialDate::parse(text).ok().and_then(PartialDate::whole);
    day.ok_or_else(|| usage(format!("{flag}: expected a day YYYY-MM-DD")))
}

/// Today in Viet Nam.
fn today() -> Date {
    const OFFSET_S: i64 = 7 * 3600;
    let days = (clock::now_s() + OFFSET_S).div_euclid(86_400);
    Date::from_days(i32::try_from(days).unwrap_or(i32::MAX))
}
