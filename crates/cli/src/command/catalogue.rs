//! `sokhoe catalogue`: takes code lists in, lists them, asks them about a code.

use std::fs::File;
use std::path::Path;

use anyhow::Context;
use serde_json::json;
use sokhoe_catalogue::{Catalogue, Check, Language, LoadSpec, Origin, load, open_folder, save};
use sokhoe_record::{Date, PartialDate};

use crate::arguments::{CatalogueCheck, CatalogueCommand, CatalogueList, CatalogueLoad};
use crate::clock;
use crate::config::Config;
use crate::failure::{Outcome, usage};
use crate::folder;
use crate::output::Output;

pub(crate) fn run(
    command: &CatalogueCommand,
    config: &Config,
    output: &mut Output,
) -> anyhow::Result<Outcome> {
    match command {
        CatalogueCommand::Load(arguments) => load_files(arguments, config, output),
        CatalogueCommand::List(arguments) => list(arguments, config, output),
        CatalogueCommand::Check(arguments) => check(arguments, config, output),
    }
}

fn load_files(
    arguments: &CatalogueLoad,
    config: &Config,
    output: &mut Output,
) -> anyhow::Result<Outcome> {
    let folders = config.folders()?;
    let spec = spec(arguments)?;
    // All files are read before the first is stored: a wrong one leaves nothing half done.
    let mut lists = Vec::new();
    for path in &arguments.files {
        let shown = path.display().to_string();
        let file = File::open(path).with_context(|| format!("open {shown}"))?;
        lists.push((shown.clone(), load(&spec, &shown, file)?));
    }
    let _lock = folder::hold(&folders.data)?;
    for (file, (list, report)) in &lists {
        save(&folders.data, list)?;
        let identity = list.identity();
        if arguments.json {
            output.json(&json!({
                "file": file, "name": identity.name, "system": identity.system,
                "version": identity.version, "shape": report.shape,
                "entries": report.taken, "repeated": report.repeated,
            }))?;
            continue;
        }
        let repeated = match report.repeated {
            0 => String::new(),
            count => format!(", {count} repeated rows left out"),
        };
        output.line(format!(
            "{file}: {} {} of {}, {} entries{repeated} (read as {})",
            identity.name, identity.version, identity.system, report.taken, report.shape
        ))?;
    }
    Ok(Outcome::Done)
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
