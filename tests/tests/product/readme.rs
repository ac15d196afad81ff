//! The README's lines do what they say: each `sh` block after its tour's mark is run in one shell beside a served
//! demo, and prints what the block after it shows.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::home::{Home, start};

/// Where the lines that are run begin.
const MARK: &str = "<!-- tour -->";
/// Where they end, if not with the file.
const END_MARK: &str = "<!-- end of tour -->";
/// Where the README's demo lies.
const DEMO: &str = "/tmp/sokhoe";
/// Parts the output of one block from that of the next.
const NEXT: &str = "=== next block ===";
/// What is another in every house and at every time.
const OF_THE_MOMENT: [&str; 6] = [
    "person_id",
    "position",
    "version",
    "hash",
    "recorded_at",
    "instance",
];

/// A curl that says on stderr what the server answered.
const CURL: &str =
    "#!/bin/sh\nexec REAL --max-time 60 -w '%{stderr}answered %{http_code}\\n' \"$@\"\n";

/// A block of lines to run, and what it shows, where it shows something.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    lines: String,
    shown: Option<String>,
}

#[test]
fn every_line_of_the_tour_works_as_written() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let Ok(text) = std::fs::read_to_string(readme) else {
        eprintln!("skipped: there is no README.md");
        return;
    };
    let Some((_, tour)) = text.split_once(MARK) else {
        eprintln!("skipped: README.md has no {MARK}");
        return;
    };
    let tour = tour.split(END_MARK).next().unwrap_or(tour);
    let blocks = blocks(tour);
    assert!(
        blocks.iter().any(|block| block.lines.contains("curl")),
        "no curl line:\n{tour}"
    );

    let home = Home::new();
    let served = home.demo(60);
    let parts: Vec<&str> = blocks.iter().map(|block| block.lines.as_str()).collect();
    // The README's folder and address are this demo's, wherever they are.
    let (data, address) = (home.data(), served.addr.to_string());
    let script = parts.join(&format!("echo; echo '{NEXT}'\n"));
    let script = script
        .replace(DEMO, data.to_str().unwrap())
        .replace("127.0.0.1:8080", &address);
    let (output, errors) = run(&home, &script);

    let outputs: Vec<&str> = output.split(NEXT).collect();
    assert_eq!(outputs.len(), blocks.len(), "{output}");
    for (block, output) in blocks.iter().zip(outputs) {
        if let Some(shown) = &block.shown {
            compare(shown, output);
        }
    }
    // What is refused is refused on purpose, and shown.
    for status in errors
        .lines()
        .filter_map(|line| line.strip_prefix("answered "))
    {
        let shown = tour.contains(&format!("\"status\":{status}"));
        assert!(
            status.starts_with('2') || (status.starts_with('4') && shown),
            "{status}: {errors}"
        );
    }
    served.stop();
}

/// Runs the lines in one shell that ends at the first that fails.
fn run(home: &Home, script: &str) -> (String, String) {
    let tools = home.path().join("tools");
    lay_out(&tools);
    let path = std::env::var("PATH").expect("a path");
    let mut shell = Command::new("sh");
    shell
        .args(["-euc", script])
        .current_dir(home.path())
        .env("PATH", format!("{}:{path}", tools.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let output = start(&mut shell).wait_with_output().expect("a shell");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (said, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(
        output.status.success(),
        "{}\n{said}\n{errors}",
        output.status
    );
    (said, errors)
}

/// Fails unless the output holds what is shown: the same JSON but for what is of the moment, or the same lines.
fn compare(shown: &str, output: &str) {
    if let Ok(mut shown) = serde_json::from_str::<Value>(shown) {
        mask(&mut shown);
        let documents = output.lines().filter_map(|line| {
            let from = line.find('{')?;
            let mut stream = serde_json::Deserializer::from_str(&line[from..]).into_iter::<Value>();
            let mut document = stream.next()?.ok()?;
            mask(&mut document);
            Some(document)
        });
        let found: Vec<Value> = documents.collect();
        assert!(
            found.contains(&shown),
            "README shows\n{shown}\nbut there is\n{output}"
        );
        return;
    }
    for line in shown.lines() {
        assert!(
            output.contains(line.trim()),
            "README shows\n{line}\nbut there is\n{output}"
        );
    }
}

fn mask(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if OF_THE_MOMENT.contains(&name.as_str()) {
                    *member = Value::Null;
                }
                mask(member);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        _ => {}
    }
}

/// The `sh` blocks of a text, each with the block that follows it, where that is of another kind.
fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("```") {
        let (kind, after) = after.split_once('\n').unwrap_or((after, ""));
        let (body, after) = after.split_once("```").expect("a block that ends");
        match (kind.trim(), blocks.last_mut()) {
            ("sh", _) => blocks.push(Block {
                lines: body.to_owned(),
                shown: None,
            }),
            (_, Some(last)) if last.shown.is_none() => last.shown = Some(body.to_owned()),
            _ => {}
        }
        rest = after;
    }
    blocks
}

/// Puts the program and the strict curl into a folder for the shell's path.
fn lay_out(tools: &Path) {
    std::fs::create_dir(tools).unwrap();
    symlink(
        env!("CARGO_BIN_EXE_sokhoe-under-test"),
        tools.join("sokhoe"),
    )
    .unwrap();
    let path = std::env::var_os("PATH").expect("a path");
    let real = std::env::split_paths(&path).map(|folder| folder.join("curl"));
    let real = real
        .into_iter()
        .find(|curl| curl.is_file())
        .expect("curl is installed");
    let curl = tools.join("curl");
    std::fs::write(&curl, CURL.replace("REAL", real.to_str().unwrap())).unwrap();
    std::fs::set_permissions(&curl, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_block_of_another_kind_is_what_the_one_before_it_shows() {
    let text = "a\n```sh\none\ntwo \\\n  three\n```\nb\n```json\n{}\n```\n```sh\nfour\n```\n";
    let block = |lines: &str, shown: Option<&str>| Block {
        lines: lines.to_owned(),
        shown: shown.map(str::to_owned),
    };
    assert_eq!(
        blocks(text),
        [
            block("one\ntwo \\\n  three\n", Some("{}\n")),
            block("four\n", None)
        ]
    );
}
