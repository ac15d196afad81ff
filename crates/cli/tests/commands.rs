//! The binary as its users meet it: exit codes, what is written where, what is said of what is wrong.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test says so loudly"
)]

#[path = "commands/evidence.rs"]
mod evidence;
#[path = "commands/verify.rs"]
mod verify;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

const EVENTS: &str = concat!(
    r#"{"event_id":"0192f0c1-7a3b-7c11-9e2f-0242ac120001","person":{"identifier":{"system":"cccd","value":"099085012345"}},"kind":"person_registered","occurred_at":"2026-11-01T08:00:00+07:00","facility":"99001","data":{"identifiers":[{"system":"cccd","value":"099085012345"}],"name":{"full":"Mẫu"},"sex":"male","birth_date":"1985"}}"#,
    "\n",
    r#"{"event_id":"0192f0c1-7a3b-7c11-9e2f-0242ac120003","person":{"identifier":{"system":"cccd","value":"099085012345"}},"kind":"condition_recorded","occurred_at":"2026-11-01T08:00:00+07:00","facility":"99001","data":{"code":{"system":"icd10","code":"I10"},"clinical_status":"active","certainty":"confirmed"}}"#,
    "\n",
);

fn sokhoe(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sokhoe"));
    command
        .current_dir(folder)
        .args(arguments)
        .env("RUST_LOG", "warn");
    for variable in [
        "SOKHOE_DATA_DIR",
        "SOKHOE_KEYS_DIR",
        "SOKHOE_TOKEN",
        "SOKHOE_CONFIG",
    ] {
        command.env_remove(variable);
    }
    command
}

fn run(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = sokhoe(folder, arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

fn json(folder: &Path, arguments: &[&str]) -> (i32, Value) {
    let (code, stdout, stderr) = run(folder, arguments);
    let last = stdout
        .lines()
        .last()
        .unwrap_or_else(|| panic!("nothing on stdout: {stderr}"));
    (code, serde_json::from_str(last).unwrap())
}

/// A bearer token for the data folder `d`.
fn token(folder: &Path, of: &[&str]) -> String {
    let (code, token, stderr) = run(folder, &[&["token", "--data", "d"], of].concat());
    assert_eq!(code, 0, "{stderr}");
    token.trim().to_owned()
}

/// Runs a command that talks to a server; its last line of stdout, if there is one.
fn sent(folder: &Path, token: &str, arguments: &[&str]) -> (i32, Value) {
    let mut command = sokhoe(folder, arguments);
    let output = command.env("SOKHOE_TOKEN", token).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let last = stdout.lines().last().unwrap_or("null");
    (
        output.status.code().unwrap(),
        serde_json::from_str(last).unwrap(),
    )
}

/// A server that runs until it is dropped.
struct Served {
    child: Child,
    base: String,
}

impl Served {
    /// Starts a command that serves and waits until it says where.
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut child = sokhoe(folder, arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let base = lines.find_map(|line| {
            let line = line.unwrap();
            let at = line.find("http://")?;
            Some(line[at..].split_whitespace().next().unwrap().to_owned())
        });
        // The rest is read so that the child never waits for the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            child,
            base: base.unwrap(),
        }
    }

    fn stop(mut self) -> i32 {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap().code().unwrap()
    }

    fn get(&self, path: &str, token: &str) -> (u16, Value) {
        let authority = self.base.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(authority).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: {authority}\r\nauthorization: Bearer {token}\r\n\
             sokhoe-purpose: TREAT\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_import_goes_on_past_a_bad_item_and_ends_with_the_list() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut lines: Vec<&str> = EVENTS.lines().collect();
    lines.insert(1, "garbage");
    fs::write(folder.join("in.ndjson"), lines.join("\n")).unwrap();
    let import = [
        "import",
        "events",
        "in.ndjson",
        "--data",
        "d",
        "--json",
        "--refused",
        "bad",
    ];
    let (code, summary) = json(folder, &import);
    assert_eq!(code, 3);
    assert_eq!(
        (&summary["read"], &summary["accepted"], &summary["refused"]),
        (&3.into(), &2.into(), &1.into())
    );
    let refused: Value =
        serde_json::from_str(&fs::read_to_string(folder.join("bad")).unwrap()).unwrap();
    assert_eq!(
        (&refused["source"], &refused["place"]),
        (&"in.ndjson".into(), &"line 2".into())
    );
    assert_eq!(refused["code"], "malformed");
}

/// Three files: a condition, then its patient, then the condition of somebody who never comes.
fn write_fhir_files(folder: &Path) {
    let condition = r#"{"resourceType":"Condition","id":"c1","subject":{"reference":"Patient/p1"},
        "code":{"coding":[{"system":"http://snomed.info/sct","code":"38341003"}]}}"#;
    let patient = r#"{"resourceType":"Patient","id":"p1","birthDate":"1980-01-01","gender":"male",
        "name":[{"family":"Mẫu"}]}"#;
    let lost = condition.replace("p1", "p2").replace("c1", "c2");
    let first = format!(
        r#"{{"resourceType":"Bundle","type":"batch","entry":[{{"resource":{condition}}}]}}"#
    );
    let files = [
        ("1.json", first.as_str()),
        ("2.json", patient),
        ("3.json", lost.as_str()),
    ];
    for (name, text) in files {
        fs::write(folder.join(name), text).unwrap();
    }
}

fn assert_only_the_third_was_refused(folder: &Path, code: i32, summary: &Value) {
    assert_eq!(code, 3, "{summary}");
    assert_eq!(
        (&summary["read"], &summary["accepted"], &summary["refused"]),
        (&3.into(), &2.into(), &1.into())
    );
    let refused: Value =
        serde_json::from_str(&fs::read_to_string(folder.join("bad")).unwrap()).unwrap();
    assert_eq!(
        (&refused["source"], &refused["pointer"]),
        (&"3.json".into(), &"/person".into())
    );
}

const IMPORT_FHIR: [&str; 8] = [
    "import",
    "fhir",
    "1.json",
    "2.json",
    "3.json",
    "--json",
    "--refused",
    "bad",
];

#[test]
fn fhir_files_may_come_before_the_file_of_their_patient() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_fhir_files(folder);
    let import = [&IMPORT_FHIR[..], &["--data", "d"]].concat();
    let (code, summary) = json(folder, &import);
    assert_only_the_third_was_refused(folder, code, &summary);
}

#[test]
fn fhir_files_may_come_in_any_order_to_a_server_too() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_fhir_files(folder);
    let served = Served::start(folder, &["serve", "--data", "d", "--listen", "127.0.0.1:0"]);
    let token = token(folder, &["--role", "hospital", "--facility", "99001"]);
    let import = [&IMPORT_FHIR[..], &["--to", &served.base]].concat();
    let (code, summary) = sent(folder, &token, &import);
    assert_only_the_third_was_refused(folder, code, &summary);
    assert_eq!(summary["position"], 2);
    let (code, again) = sent(folder, &token, &import);
    assert_eq!(
        (code, &again["accepted"], &again["duplicate"]),
        (3, &0.into(), &2.into())
    );
    assert_eq!(served.stop(), 0);
}

#[test]
fn a_running_server_rebuilds_and_takes_code_lists() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("in.ndjson"), EVENTS).unwrap();
    fs::write(folder.join("icd.csv"), "code,name_vi\nI11,Tim\n").unwrap();
    let served = Served::start(folder, &["serve", "--data", "d", "--listen", "127.0.0.1:0"]);
    let admin = token(folder, &["--role", "admin"]);
    let hospital = token(folder, &["--role", "hospital", "--facility", "99001"]);
    let to = ["--to", &served.base, "--json"];
    let load = ["catalogue", "load", "icd.csv", "--name", "icd10"];
    let of = ["--system", "icd10", "--list-version", "own", "--complete"];
    let load = [&load[..], &of, &to].concat();
    assert_eq!(sent(folder, &hospital, &load).0, 1, "the role may not");
    let (code, loaded) = sent(folder, &admin, &load);
    assert_eq!((code, &loaded["entries"]), (0, &1.into()));
    let import = [&["import", "events", "in.ndjson"], &to[..]].concat();
    let (code, summary) = sent(folder, &hospital, &import);
    assert_eq!(
        (code, &summary["accepted"], &summary["refused"]),
        (3, &1.into(), &1.into()),
        "the list lacks I10"
    );
    let (code, rebuilt) = sent(folder, &admin, &[&["rebuild"], &to[..]].concat());
    assert_eq!((code, &rebuilt["position"]), (0, &1.into()));
    assert_eq!(served.stop(), 0);
}

#[test]
fn importing_again_adds_nothing_and_exits_with_0() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("in.ndjson"), EVENTS).unwrap();
    let import = ["import", "events", "in.ndjson", "--data", "d", "--json"];
    let (code, first) = json(folder, &import);
    assert_eq!((code, &first["accepted"]), (0, &2.into()));
    let (code, again) = json(folder, &import);
    assert_eq!(
        (code, &again["accepted"], &again["duplicate"]),
        (0, &0.into(), &2.into())
    );
    assert_eq!(again["position"], first["position"]);
}

#[test]
fn a_running_server_takes_what_import_sends_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("in.ndjson"), EVENTS).unwrap();
    let served = Served::start(folder, &["serve", "--data", "d", "--listen", "127.0.0.1:0"]);
    let token = token(folder, &["--role", "hospital", "--facility", "99001"]);
    let import = [
        "import",
        "events",
        "in.ndjson",
        "--to",
        &served.base,
        "--json",
    ];
    let (code, summary) = sent(folder, &token, &import);
    assert_eq!((code, &summary["accepted"]), (0, &2.into()));
    let (code, _, stderr) = run(folder, &["import", "events", "in.ndjson", "--data", "d"]);
    assert_eq!(code, 1);
    assert!(
        stderr.contains("another process holds its lock"),
        "{stderr}"
    );
    fs::write(folder.join("list.csv"), "code,name_vi\nA,Một\n").unwrap();
    let load = [
        "catalogue",
        "load",
        "list.csv",
        "--data",
        "d",
        "--name",
        "x",
        "--system",
        "x",
        "--list-version",
        "1",
    ];
    let (code, _, stderr) = run(folder, &load);
    assert_eq!(code, 1);
    assert!(stderr.contains("in use by another process"), "{stderr}");
    assert_eq!(served.stop(), 0);
    assert_eq!(run(folder, &load).0, 0);
}

#[test]
fn a_demo_writes_its_sheet_when_ready_and_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let demo = [
        "demo",
        "--data",
        "d",
        "--people",
        "60",
        "--listen",
        "127.0.0.1:0",
    ];
    let served = Served::start(folder, &demo);
    let sheet: Value =
        serde_json::from_slice(&fs::read(folder.join("d/demo.json")).unwrap()).unwrap();
    assert_eq!(
        sheet["base_url"].as_str(),
        Some(served.base.trim_end_matches('/'))
    );
    assert_eq!(
        (&sheet["pg_url"], &sheet["people_count"]),
        (&Value::Null, &60.into())
    );
    let citizen = sheet["people"]["citizen"].as_str().unwrap();
    let token = sheet["tokens"]["citizen"].as_str().unwrap().to_owned();
    let path = format!("/v1/people/{citizen}");
    let (status, before) = served.get(&path, &token);
    assert_eq!((status, before["person_id"].as_str()), (200, Some(citizen)));
    assert_eq!(served.stop(), 0);

    let (code, rebuilt) = json(folder, &["rebuild", "--data", "d", "--json"]);
    assert_eq!((code, &rebuilt["people"]), (0, &60.into()));

    let again = Served::start(folder, &demo);
    let (status, mut after) = again.get(&path, &token);
    // The look before is in the log.
    after["position"] = before["position"].clone();
    assert_eq!(
        (status, after),
        (200, before),
        "an earlier token holds and the record is the same"
    );
    assert_eq!(again.stop(), 0);
    let (code, _, stderr) = run(folder, &["demo", "--data", "d", "--people", "61"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("holds a city of 60 people"), "{stderr}");
}

#[test]
fn a_complete_list_that_was_loaded_refuses_codes_it_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("icd.csv"), "code,name_vi\nI11,Tim\n").unwrap();
    fs::write(folder.join("in.ndjson"), EVENTS).unwrap();
    let load = [
        "catalogue",
        "load",
        "icd.csv",
        "--data",
        "d",
        "--name",
        "icd10",
        "--system",
        "icd10",
        "--list-version",
        "own",
        "--complete",
    ];
    assert_eq!(run(folder, &load).0, 0);
    let check = |code| {
        run(
            folder,
            &["catalogue", "check", "icd10", code, "--data", "d"],
        )
        .0
    };
    assert_eq!((check("I11"), check("I10")), (0, 3));
    let import = [
        "import",
        "events",
        "in.ndjson",
        "--data",
        "d",
        "--json",
        "--refused",
        "bad",
    ];
    let (code, summary) = json(folder, &import);
    assert_eq!(
        (code, &summary["accepted"], &summary["refused"]),
        (3, &1.into(), &1.into())
    );
    let refused: Value =
        serde_json::from_str(&fs::read_to_string(folder.join("bad")).unwrap()).unwrap();
    assert_eq!(refused["pointer"], "/data/code/code");
}

#[test]
fn wrong_calls_exit_with_2_and_say_what_to_give() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("c.toml"), "lisen = 1").unwrap();
    let cases: [(&[&str], &str); 7] = [
        (&["serve"], "--data"),
        (
            &["serve", "--data", "d", "--listen", "0.0.0.0:80"],
            "loopback",
        ),
        (
            &["serve", "--data", "d", "--config", "c.toml"],
            "key lisen: no such key",
        ),
        (
            &["token", "--data", "d", "--role", "clinician"],
            "--facility",
        ),
        (
            &["import", "fhir", "x", "--to", "http://10.0.0.1:80"],
            "on this machine",
        ),
        (&["import", "hl7", "x"], "hl7"),
        (&["rebuild", "--data", "nowhere"], "no data folder"),
    ];
    for (arguments, says) in cases {
        let (code, _, stderr) = run(folder, arguments);
        assert_eq!(code, 2, "{arguments:?}: {stderr}");
        assert!(stderr.contains(says), "{arguments:?}: {stderr}");
    }
    assert!(!folder.join("d").exists(), "nothing was made");
}

/// The thing that the doctor calls bad, with its detail.
fn bad_thing(folder: &Path) -> (i32, String, String) {
    let (code, found) = json(folder, &["doctor", "--data", "d", "--json"]);
    let findings = found["findings"].as_array().unwrap();
    let bad = findings.iter().find(|finding| finding["verdict"] == "bad");
    let text = |key: &str| {
        bad.unwrap_or_else(|| panic!("{found}"))[key]
            .as_str()
            .unwrap()
    };
    (code, text("thing").to_owned(), text("detail").to_owned())
}

#[test]
fn the_doctor_fails_where_there_is_no_folder_no_meta_file_or_a_cut_log() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (code, thing, _) = bad_thing(folder);
    assert_eq!((code, thing.as_str()), (1, "data folder"));

    fs::write(folder.join("in.ndjson"), EVENTS).unwrap();
    let import = ["import", "events", "in.ndjson", "--data", "d"];
    assert_eq!(run(folder, &import).0, 0);
    let (meta, aside) = (folder.join("d/meta"), folder.join("aside"));
    fs::rename(&meta, &aside).unwrap();
    let (code, thing, detail) = bad_thing(folder);
    assert_eq!((code, thing.as_str()), (1, "log"));
    assert!(detail.contains("restore it from a backup"), "{detail}");
    assert_eq!(run(folder, &import).0, 1, "no new log is begun there");
    fs::rename(&aside, &meta).unwrap();

    let segment = folder.join("d/log/0000000000000001.seg");
    let good = fs::read(&segment).unwrap();
    for cut in [200, 400, 900] {
        fs::write(&segment, &good[..good.len() - cut]).unwrap();
        let (code, thing, detail) = bad_thing(folder);
        assert_eq!((code, thing.as_str()), (1, "log"), "{cut} cut: {detail}");
        assert!(detail.contains("0000000000000001.seg"), "{detail}");
        assert_eq!(run(folder, &import).0, 1);
    }
}

#[test]
fn what_is_made_is_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("in.ndjson"), format!("{EVENTS}{{}}\n")).unwrap();
    let import = [
        "import",
        "events",
        "in.ndjson",
        "--data",
        "d",
        "--refused",
        "no.ndjson",
    ];
    assert_eq!(run(folder, &import).0, 3);
    assert_private(&folder.join("no.ndjson"));
    assert_private(&folder.join("d"));
    fs::write(folder.join("icd.csv"), "code,name_vi\nI10,Mẫu\n").unwrap();
    let load = [
        "catalogue",
        "load",
        "icd.csv",
        "--name",
        "icd10",
        "--system",
        "icd10",
        "--list-version",
        "own",
        "--complete",
        "--data",
        "new",
    ];
    let (code, _, stderr) = run(folder, &load);
    assert_eq!(code, 0, "{stderr}");
    assert_private(&folder.join("new"));
}

fn assert_private(path: &Path) {
    let metadata = fs::metadata(path).unwrap();
    let mode = metadata.permissions().mode() & 0o777;
    let wanted = if metadata.is_dir() { 0o700 } else { 0o600 };
    assert_eq!(mode, wanted, "{} has {mode:o}", path.display());
    if metadata.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            assert_private(&entry.unwrap().path());
        }
    }
}

#[test]
fn the_doctor_looks_at_a_folder_and_says_when_its_keys_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("in.ndjson"), EVENTS).unwrap();
    assert_eq!(
        run(folder, &["import", "events", "in.ndjson", "--data", "d"]).0,
        0
    );
    let (code, found) = json(folder, &["doctor", "--data", "d", "--json"]);
    assert_eq!(code, 0, "{found}");
    let vkey = found["vkey"].as_str().unwrap();
    let log_id = vkey.strip_prefix("sokhoe.local/").unwrap();
    assert_eq!(log_id.find('+'), Some(32), "{vkey}");
    fs::rename(folder.join("d.keys"), folder.join("elsewhere")).unwrap();
    let (code, found) = json(folder, &["doctor", "--data", "d", "--json"]);
    let bad = found["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|finding| finding["verdict"] == "bad");
    assert_eq!((code, &bad.unwrap()["thing"]), (1, &"keys".into()));
}
