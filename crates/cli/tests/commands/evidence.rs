//! Evidence: made from a folder and a server, checked by `sokhoe verify` and by the verifier in Python, which must agree.

use std::path::PathBuf;

use super::*;

/// Lets the Python verifier check many files in one process; its words are printed, one line a file.
const MANY: &str = "import sys, verify\n\
    given = [sys.argv[1]] if sys.argv[1] else []\n\
    codes = [verify.main([path] + given) for path in sys.stdin.read().split('\\n') if path]\n\
    print(' '.join(map(str, codes)))";

/// Made evidence, and the key of its log in the file `vkey`.
struct Made {
    folder: tempfile::TempDir,
    person: String,
}

impl Made {
    /// A folder with one person of two events, and evidence of them: `sealed`, `event`, and `opened` from a server.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = &folder.path().to_path_buf();
        fs::write(path.join("events"), EVENTS).unwrap();
        let (code, _, stderr) = run(path, &["import", "events", "events", "--data", "d"]);
        assert_eq!(code, 0, "{stderr}");
        let (_, doctor) = json(path, &["doctor", "--data", "d", "--json"]);
        fs::write(path.join("vkey"), doctor["vkey"].as_str().unwrap()).unwrap();
        let (_, fed) = json(path, &["export", "feed", "--data", "d"]);
        let person = fed["subject"].as_str().unwrap().to_owned();
        let made = Self { folder, person };
        made.ask(&["--person", &made.person, "--data", "d"], "sealed");
        let event = "0192f0c1-7a3b-7c11-9e2f-0242ac120003";
        made.ask(&["--event", event, "--data", "d"], "event");
        let served = Served::start(path, &["serve", "--data", "d", "--listen", "127.0.0.1:0"]);
        let citizen = token(path, &["--role", "citizen", "--person", &made.person]);
        let flags = ["--person", &made.person, "--to", &served.base, "--open"];
        let (code, stderr) = made.ask_as(&citizen, &flags, "opened");
        assert_eq!(code, 0, "{stderr}");
        let auditor = token(path, &["--role", "auditor"]);
        let (code, stderr) = made.ask_as(&auditor, &flags, "refused");
        assert!(code != 0 && stderr.contains("the person alone"), "{stderr}");
        assert!(!path.join("refused").exists());
        assert_eq!(served.stop(), 0);
        made
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn ask(&self, flags: &[&str], out: &str) {
        let (code, _, stderr) = run(self.path(), &[&["evidence", "--out", out], flags].concat());
        assert_eq!(code, 0, "{stderr}");
    }

    fn ask_as(&self, token: &str, flags: &[&str], out: &str) -> (i32, String) {
        let all = [&["evidence", "--out", out], flags].concat();
        let mut command = sokhoe(self.path(), &all);
        let output = command.env("SOKHOE_TOKEN", token).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), stderr)
    }

    fn read(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path().join(name)).unwrap()).unwrap()
    }

    fn write(&self, name: &str, bundle: &Value) {
        fs::write(self.path().join(name), bundle.to_string()).unwrap();
    }

    fn verify(&self, name: &str, flags: &[&str]) -> (i32, Value) {
        json(self.path(), &[&["verify", name, "--json"], flags].concat())
    }
}

#[allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "who runs the tests says where Python is, and hears where it is not"
)]
fn python() -> Option<PathBuf> {
    let given = std::env::var("SOKHOE_PYTHON");
    let python = given.clone().unwrap_or_else(|_| "python3".into());
    let packages = ["-c", "import blake3, cryptography"];
    let there = Command::new(&python)
        .args(packages)
        .stderr(Stdio::null())
        .status();
    if there.is_ok_and(|status| status.success()) {
        return Some(python.into());
    }
    assert!(
        given.is_err(),
        "{python} has no packages blake3 and cryptography"
    );
    println!("skipped: no python3 with the packages blake3 and cryptography");
    None
}

/// The verifier's folder, before what the environment names already.
#[allow(
    clippy::disallowed_methods,
    reason = "who runs the tests says where Python's packages are"
)]
fn search_path() -> String {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/verifier");
    let given = std::env::var("PYTHONPATH").unwrap_or_default();
    format!("{own}:{given}")
}

/// Exit codes of the Python verifier for each file.
fn second_opinion(python: &Path, folder: &Path, names: &[String], vkey: &str) -> Vec<i32> {
    let mut child = Command::new(python)
        .current_dir(folder)
        .args(["-c", MANY, vkey])
        .env("PYTHONPATH", search_path())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(names.join("\n").as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    let codes = said.lines().last().unwrap().split(' ');
    codes.map(|code| code.parse().unwrap()).collect()
}

#[test]
fn evidence_is_intact_with_the_key_and_self_consistent_without() {
    let made = Made::new();
    for (name, events, opened) in [("sealed", 2, 0), ("event", 1, 0), ("opened", 2, 2)] {
        let (code, verdict) = made.verify(name, &["--vkey", "vkey"]);
        assert_eq!((code, &verdict["verdict"]), (0, &"intact".into()), "{name}");
        assert_eq!(verdict["events"], events);
        let checked = verdict["checked"].to_string();
        assert_eq!(checked.contains("2 opened"), opened == 2, "{checked}");
        let (code, verdict) = made.verify(name, &[]);
        assert_eq!(code, 0);
        assert_eq!(verdict["verdict"], "self-consistent, unauthenticated");
    }
    let text = fs::read_to_string(made.path().join("sealed")).unwrap();
    assert!(!text.contains("I10") && !text.contains("099085012345"));
    for flags in [["--since", "d/checkpoint"], ["--keys", "d.keys"]] {
        let (code, _, stderr) = run(made.path(), &[&["verify", "sealed"], &flags[..]].concat());
        assert_eq!(code, 2, "{stderr}");
    }
    let (code, _, stderr) = run(
        made.path(),
        &[
            "evidence",
            "--person",
            &made.person,
            "--data",
            "d",
            "--out",
            "sealed",
        ],
    );
    assert!(
        code != 0 && stderr.contains("sealed"),
        "an old file was written over"
    );
}

#[test]
fn evidence_with_its_last_event_cut_off_or_any_event_missing_is_refused() {
    let made = Made::new();
    for missing in [0, 1] {
        let mut bundle = made.read("sealed");
        let events = bundle["chains"][0]["events"].as_array_mut().unwrap();
        events.remove(missing);
        made.write("cut", &bundle);
        let (code, verdict) = made.verify("cut", &["--vkey", "vkey"]);
        assert_eq!(code, 10, "{verdict}");
        let what = verdict["first_bad"]["what"].as_str().unwrap();
        let expected = ["it does not follow", "not the stream's last"][missing];
        assert!(what.contains(expected), "{what}");
    }
}

/// Evidence of another log, changed, mixed and cut, under names that say how.
fn spoilt(made: &Made) -> Vec<String> {
    let mut names: Vec<String> = ["sealed", "event", "opened"].map(String::from).to_vec();
    let other = Made::new();
    for name in ["sealed", "opened"] {
        let foreign = format!("of-another-log-{name}");
        fs::copy(other.path().join(name), made.path().join(&foreign)).unwrap();
        names.push(foreign);
    }
    let mut put = |name: String, bundle: &Value| {
        made.write(&name, bundle);
        names.push(name);
    };
    let whole = made.read("opened");
    let theirs = other.read("opened");
    for field in [
        "log_id",
        "checkpoint",
        "commitment",
        "chains",
        "events",
        "format",
    ] {
        let mut mixed = whole.clone();
        mixed[field] = theirs[field].clone();
        put(format!("mixed-{field}"), &mixed);
        let mut without = whole.clone();
        without.as_object_mut().unwrap().remove(field);
        put(format!("without-{field}"), &without);
    }
    for (pointer, value) in [
        ("/format", "sokhoe evidence 2".into()),
        ("/chains", Value::Array(vec![])),
        ("/chains/0/events", Value::Array(vec![])),
        ("/chains/0/head/index", Value::from(u64::MAX)),
        ("/chains/0/head/index", Value::from(-1)),
        ("/chains/0/events/0/position", Value::from(0)),
        ("/chains/0/events/0/position", Value::from(1.5)),
        ("/chains/0/events/0/position", Value::from("2")),
        ("/chains/0/events/0/header", "00".into()),
        ("/chains/0/events/0/header", "0".into()),
        ("/chains/0/events/0/header", "AB".into()),
        ("/chains/0/events/0/payload", "".into()),
        ("/chains/0/events/0/secret", "00".repeat(32).into()),
        ("/chains/0/events/0/secret", "00".into()),
        ("/chains/0/events/0/secret", Value::Null),
        (
            "/chains/0/events/1",
            whole["chains"][0]["events"][0].clone(),
        ),
        ("/commitment", whole["chains"][0]["events"][0].clone()),
        ("/events", whole["chains"][0]["events"].clone()),
        ("/log_id", "00".repeat(16).into()),
        ("/log_id", "00".into()),
        ("/checkpoint", "".into()),
        ("/checkpoint", "\u{0}\n\n\u{2014} a b\n".into()),
    ] {
        let mut changed = whole.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        put(format!("changed-{}", names_so_far()), &changed);
    }
    names
}

/// A number that no other name has.
fn names_so_far() -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Copies with one bit flipped, all over a file, and with its end cut off.
fn flipped(made: &Made, name: &str, count: usize) -> Vec<String> {
    let good = fs::read(made.path().join(name)).unwrap();
    let mut names = Vec::new();
    for number in 0..count {
        let at = number * good.len() / count + number % 7;
        let mut bad = good.clone();
        let cut = number % 10 == 9;
        match bad.get_mut(at) {
            Some(byte) if !cut => *byte ^= 1 << (number % 8),
            _ => bad.truncate(at.min(good.len())),
        }
        let spoilt = format!("flipped-{name}-{number}");
        fs::write(made.path().join(&spoilt), bad).unwrap();
        names.push(spoilt);
    }
    names
}

#[test]
fn two_verifiers_agree_on_every_bundle_whole_or_spoilt() {
    let Some(python) = python() else {
        return;
    };
    let made = Made::new();
    let mut names = spoilt(&made);
    names.extend(flipped(&made, "sealed", 100));
    names.extend(flipped(&made, "opened", 150));
    let mut seen = std::collections::BTreeMap::<i32, usize>::new();
    for vkey in ["vkey", ""] {
        let flags: &[&str] = if vkey.is_empty() {
            &[]
        } else {
            &["--vkey", vkey]
        };
        let codes = second_opinion(&python, made.path(), &names, vkey);
        assert_eq!(codes.len(), names.len());
        for (name, code) in names.iter().zip(codes) {
            let (own, verdict) = made.verify(name, flags);
            assert_eq!(own, code, "{name} with {flags:?}: {verdict}");
            let whole = ["sealed", "event", "opened"].contains(&name.as_str());
            assert!(!whole || code == 0, "{name}: {verdict}");
            let unsigned = vkey.is_empty() && own == 0;
            assert!(
                whole || unsigned || own != 0 || harmless(&made, name),
                "{name}: {verdict}"
            );
            *seen.entry(code).or_default() += 1;
        }
    }
    assert!(
        [0, 10, 11, 12].iter().all(|code| seen.contains_key(code)),
        "{seen:?}"
    );
}

/// What may change without anything being claimed that is not so: a key left out, events shown twice.
fn harmless(made: &Made, name: &str) -> bool {
    let (changed, whole) = (made.read(name), made.read("opened"));
    let chains = |bundle: &Value| {
        let mut chains = bundle["chains"].clone();
        for event in chains[0]["events"].as_array_mut().unwrap() {
            event.as_object_mut().unwrap().remove("secret");
        }
        chains
    };
    chains(&changed) == chains(&whole)
}
