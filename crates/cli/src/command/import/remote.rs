//! Import into a running server: events as NDJSON batches, FHIR documents as batch Bundles, so that one bad
//! item does not hold back the others. One connection, in order; FHIR documents that name somebody whom a later
//! file registers are sent once more at the end.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use hyper::body::Bytes;
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use sokhoe_exchange::fhir::{Context, Outcome, read_document, translate};
use sokhoe_exchange::source::Found;
use sokhoe_record::Instant;
use sokhoe_record::json::Node;

use super::local::Deferred;
use super::reading::{Format, documents, malformed, shown};
use super::tally::{Refused, Tally};
use crate::arguments::{ImportArguments, ImportFormat};
use crate::clock;
use crate::environment::Environment;
use crate::remote::{Answer, Client, ServerUrl, percent_encoded, problem};

/// Items sent in one request.
const REQUEST_ITEMS_MAX: usize = 1_000;
/// Bytes sent in one request, unless one document alone has more.
const REQUEST_BYTES_MAX: usize = 4 << 20;

const EVENTS_PATH: &str = "/v1/events/batch";
const READY_PATH: &str = "/readyz";
const FHIR_PATH: &str = "/fhir/R4";

/// Where an item of a request came from.
#[derive(Debug, Clone)]
struct Sent {
    source: String,
    place: String,
    kept_whole: bool,
}

impl Sent {
    fn is_in(&self, items: &Deferred) -> bool {
        items.contains(&(self.source.clone(), self.place.clone()))
    }
}

/// Imports files through a server.
pub(super) async fn import(
    arguments: &ImportArguments,
    url: &ServerUrl,
    environment: &Environment,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let client = Client::connect(url, environment).await?;
    match arguments.format {
        ImportFormat::Events => import_events(arguments, client, tally).await,
        ImportFormat::Fhir => import_fhir(arguments, client, tally).await,
    }
}

async fn import_events(
    arguments: &ImportArguments,
    mut client: Client,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let mut lines: Vec<u8> = Vec::new();
    let mut sent = Vec::new();
    for found in documents(&arguments.paths, &Format::Events).context("read the files")? {
        let (source, place, bytes) = match next(found, tally)? {
            Some(document) => document,
            None => continue,
        };
        if bytes.contains(&b'\n') || bytes.contains(&b'\r') {
            let detail = "expected one event a line".to_owned();
            tally.refused(&Refused::whole(source, place, "malformed", detail))?;
            continue;
        }
        lines.extend_from_slice(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes));
        lines.push(b'\n');
        sent.push(Sent {
            source,
            place,
            kept_whole: false,
        });
        if sent.len() >= REQUEST_ITEMS_MAX || lines.len() >= REQUEST_BYTES_MAX {
            send_events(&mut client, std::mem::take(&mut lines), &mut sent, tally).await?;
        }
    }
    send_events(&mut client, lines, &mut sent, tally).await
}

#[derive(Deserialize)]
struct ResultLine {
    status: u16,
    #[serde(default)]
    position: u64,
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    errors: Vec<WireError>,
}

#[derive(Deserialize)]
struct WireError {
    pointer: String,
    code: String,
    detail: String,
}

async fn send_events(
    client: &mut Client,
    lines: Vec<u8>,
    sent: &mut Vec<Sent>,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    if sent.is_empty() {
        return Ok(());
    }
    let body = Bytes::from(lines);
    let answer = client
        .send(Method::POST, EVENTS_PATH, "application/x-ndjson", body)
        .await?;
    if answer.status != StatusCode::OK {
        bail!("{}", problem(&answer));
    }
    let mut results = answer
        .body
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    for item in sent.drain(..) {
        let line = results
            .next()
            .context("the server answered fewer lines than it was sent")?;
        let line: ResultLine = serde_json::from_slice(line).context("read a result line")?;
        match line.status {
            200 | 201 => tally.taken(line.position, line.status == 200),
            503 => bail!("the server stopped taking events: {}", line.detail),
            _ => tally.refused(&of_problem(item, line))?,
        }
    }
    Ok(())
}

fn of_problem(item: Sent, line: ResultLine) -> Box<Refused> {
    let Sent { source, place, .. } = item;
    match line.errors.into_iter().next() {
        Some(error) => {
            let mut refused = Refused::whole(source, place, &error.code, error.detail);
            refused.pointer = error.pointer;
            refused
        }
        None => {
            let code = line
                .r#type
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .replace('-', "_");
            Refused::whole(source, place, &code, line.detail)
        }
    }
}

/// Entries of a batch Bundle under construction.
#[derive(Default)]
struct Entries {
    text: String,
    sent: Vec<Sent>,
}

async fn import_fhir(
    arguments: &ImportArguments,
    client: Client,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let path = match &arguments.source {
        Some(source) => format!("{FHIR_PATH}?source={}", percent_encoded(source)),
        None => FHIR_PATH.to_owned(),
    };
    // Only used to see what has no kind of its own; the server derives the ids that count.
    let no_hash = |_: &[&[u8]]| [0; 32];
    let source = arguments.source.as_deref().unwrap_or("fhir");
    let context = Context::new(
        source,
        None,
        Instant::from_micros(clock::now_us()),
        &no_hash,
    )
    .map_err(|error| crate::failure::usage(format!("--source: {error}")))?;
    let mut road = Road {
        client,
        path,
        context: &context,
        entries: Entries::default(),
        tally,
        pass: Pass::First(Deferred::new()),
    };
    road.send_files(&arguments.paths).await?;
    road.send_deferred().await?;
    // Answers to Bundles name no position; the log's end after them covers them all.
    let answer = road
        .client
        .send(Method::GET, READY_PATH, "application/json", Bytes::new())
        .await?;
    let ready: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    tally.position = ready
        .get("position")
        .and_then(Value::as_u64)
        .unwrap_or_default();
    Ok(())
}

/// Files of other systems come in any order: who is named may be registered by a later one.
enum Pass {
    /// Everything is sent; items that name somebody unknown are put off.
    First(Deferred),
    /// The documents of what was put off are sent again, and only that is counted.
    Second(Deferred),
}

/// The way of FHIR documents to a server.
struct Road<'r> {
    client: Client,
    path: String,
    context: &'r Context<'r>,
    entries: Entries,
    tally: &'r mut Tally,
    pass: Pass,
}

impl Road<'_> {
    async fn send_deferred(&mut self) -> anyhow::Result<()> {
        let Pass::First(deferred) = &mut self.pass else {
            return Ok(());
        };
        let deferred = std::mem::take(deferred);
        let files: BTreeSet<PathBuf> = deferred.iter().map(|(file, _)| file.into()).collect();
        let files: Vec<_> = files.into_iter().collect();
        self.pass = Pass::Second(deferred);
        if files.is_empty() {
            return Ok(());
        }
        self.send_files(&files).await
    }

    async fn send_files(&mut self, paths: &[PathBuf]) -> anyhow::Result<()> {
        let format = Format::Fhir(self.context);
        for found in documents(paths, &format).context("read the files")? {
            // What could not be read the first time is counted already.
            let again = matches!(self.pass, Pass::Second(_));
            let (source, place, bytes) = match found {
                Found::Document { place, bytes } => {
                    let (source, place) = shown(&place);
                    (source, place, bytes)
                }
                _ if again => continue,
                found => match next(found, self.tally)? {
                    Some(document) => document,
                    None => continue,
                },
            };
            match read_document(&bytes) {
                Ok(node) => self.add_document(&source, &place, &node).await?,
                Err(_) if again => {}
                Err(error) => self.tally.refused(&malformed(source, place, &error))?,
            }
        }
        self.send_entries().await
    }

    async fn add_document(
        &mut self,
        source: &str,
        place: &str,
        node: &Node<'_>,
    ) -> anyhow::Result<()> {
        let mut document = Entries::default();
        add(&mut document, source, place, node, self.context);
        if let Pass::Second(deferred) = &self.pass
            && !document.sent.iter().any(|sent| sent.is_in(deferred))
        {
            return Ok(());
        }
        // References between entries hold within one Bundle only, so a Bundle is never cut.
        let bundle = node.text("resourceType") == Some("Bundle");
        if bundle {
            self.send_entries().await?;
        }
        if !self.entries.text.is_empty() && !document.text.is_empty() {
            self.entries.text.push(',');
        }
        self.entries.text.push_str(&document.text);
        self.entries.sent.append(&mut document.sent);
        let Entries { text, sent } = &self.entries;
        if bundle || sent.len() >= REQUEST_ITEMS_MAX || text.len() >= REQUEST_BYTES_MAX {
            self.send_entries().await?;
        }
        Ok(())
    }

    async fn send_entries(&mut self) -> anyhow::Result<()> {
        let Entries { text, sent } = std::mem::take(&mut self.entries);
        if sent.is_empty() {
            return Ok(());
        }
        let body = format!("{{\"resourceType\":\"Bundle\",\"type\":\"batch\",\"entry\":[{text}]}}");
        let answer = self
            .client
            .send(
                Method::POST,
                &self.path,
                "application/fhir+json",
                Bytes::from(body),
            )
            .await?;
        match answer.status {
            StatusCode::OK => self.count_entries(&answer, sent),
            // The whole request is at fault; the next one may be better.
            StatusCode::BAD_REQUEST
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNPROCESSABLE_ENTITY => {
                let mut counted = sent;
                counted.retain(|item| self.counts(item));
                for item in counted {
                    let Sent { source, place, .. } = item;
                    self.tally.refused(&Refused::whole(
                        source,
                        place,
                        "bundle_refused",
                        problem(&answer),
                    ))?;
                }
                Ok(())
            }
            _ => bail!("{}", problem(&answer)),
        }
    }

    fn counts(&self, item: &Sent) -> bool {
        match &self.pass {
            Pass::First(_) => true,
            Pass::Second(deferred) => item.is_in(deferred),
        }
    }

    fn count_entries(&mut self, answer: &Answer, sent: Vec<Sent>) -> anyhow::Result<()> {
        let bundle: Value =
            serde_json::from_slice(&answer.body).context("read the server's answer")?;
        let responses = bundle
            .get("entry")
            .and_then(Value::as_array)
            .map(Vec::as_slice);
        let responses = responses.unwrap_or_default();
        if responses.len() != sent.len() {
            bail!(
                "the server answered {} entries for {}",
                responses.len(),
                sent.len()
            );
        }
        for (item, entry) in sent.into_iter().zip(responses) {
            if self.counts(&item) {
                self.count_entry(item, entry.get("response").unwrap_or(&Value::Null))?;
            }
        }
        Ok(())
    }

    fn count_entry(&mut self, item: Sent, response: &Value) -> anyhow::Result<()> {
        let status = response
            .get("status")
            .and_then(Value::as_str)
            .unwrap_or_default();
        match (status.get(..3), &mut self.pass) {
            (Some(taken @ ("200" | "201")), _) => {
                let duplicate = taken == "200";
                self.tally.taken(0, duplicate);
                if item.kept_whole && !duplicate {
                    self.tally.counts.kept_whole += 1;
                }
            }
            (Some("503"), _) => bail!("the server stopped taking events"),
            (_, Pass::First(deferred)) if unknown_person(response) => {
                deferred.insert((item.source, item.place));
            }
            _ => self.tally.refused(&of_outcome(item, response))?,
        }
        Ok(())
    }
}

/// Says whether an entry was refused for nothing but somebody who is not known yet.
fn unknown_person(response: &Value) -> bool {
    let issues = response.pointer("/outcome/issue").and_then(Value::as_array);
    let person = |issue: &Value| {
        issue
            .pointer("/details/coding/1/code")
            .is_some_and(|code| code == "unknown_person")
    };
    issues.is_some_and(|issues| !issues.is_empty() && issues.iter().all(person))
}

fn add(entries: &mut Entries, source: &str, place: &str, node: &Node<'_>, context: &Context<'_>) {
    let bundle = node.text("resourceType") == Some("Bundle");
    let mut kept = Vec::new();
    for item in translate(node, context) {
        if matches!(item.outcome, Outcome::Kept { .. }) {
            kept.push(item.place.index);
        }
    }
    let mut push = |text: &str, index: Option<usize>| {
        if !entries.text.is_empty() {
            entries.text.push(',');
        }
        entries.text.push_str(text);
        let mut place = place.to_owned();
        if let Some(index) = index {
            let gap = if place.is_empty() { "" } else { " " };
            // Writing to a String cannot fail.
            let _ = write!(place, "{gap}entry {index}");
        }
        let kept_whole = kept.contains(&index);
        entries.sent.push(Sent {
            source: source.to_owned(),
            place,
            kept_whole,
        });
    };
    if bundle {
        for (index, entry) in node.items("entry").iter().enumerate() {
            push(entry.raw(), Some(index));
        }
    } else {
        push(&format!("{{\"resource\":{}}}", node.raw()), None);
    }
}

fn of_outcome(item: Sent, response: &Value) -> Box<Refused> {
    let issue = response.pointer("/outcome/issue/0").unwrap_or(&Value::Null);
    let text = |pointer: &str| {
        issue
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let code = match text("/code") {
        "" => "refused",
        code => code,
    };
    let mut refused = Refused::whole(
        item.source,
        item.place,
        code,
        text("/diagnostics").to_owned(),
    );
    // As an import into a folder says it.
    refused.pointer = match unknown_person(response) {
        true => "/person".to_owned(),
        false => text("/expression/0").to_owned(),
    };
    refused
}

/// The next document; skipped and unreadable ones are counted here.
fn next(found: Found, tally: &mut Tally) -> anyhow::Result<Option<(String, String, Vec<u8>)>> {
    match found {
        Found::Skipped(skipped) => {
            tally.skipped(&skipped.path, skipped.because);
            Ok(None)
        }
        Found::Unreadable {
            place,
            code,
            detail,
        } => {
            let (source, place) = shown(&place);
            tally.refused(&Refused::whole(source, place, code, detail))?;
            Ok(None)
        }
        Found::Document { place, bytes } => {
            let (source, place) = shown(&place);
            Ok(Some((source, place, bytes)))
        }
    }
}
