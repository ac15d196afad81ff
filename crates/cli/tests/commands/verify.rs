//! `sokhoe verify` on whole, spoilt, shortened, exchanged and served data folders.

use super::*;

/// Makes the data folder `d` with more than one start behind it, and the file `vkey`.
fn whole(folder: &Path) {
    let events = EVENTS.lines().zip(["1.ndjson", "2.ndjson"]);
    for (line, name) in events {
        fs::write(folder.join(name), line).unwrap();
        let (code, _, stderr) = run(folder, &["import", "events", name, "--data", "d"]);
        assert_eq!(code, 0, "{stderr}");
    }
    let (_, doctor) = json(folder, &["doctor", "--data", "d", "--json"]);
    fs::write(folder.join("vkey"), doctor["vkey"].as_str().unwrap()).unwrap();
}

fn verify(folder: &Path, flags: &[&str]) -> (i32, Value) {
    json(folder, &[&["verify", "d", "--json"], flags].concat())
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

fn segments(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder.join("d/log"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

fn list(value: &Value) -> String {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_str().unwrap())
        .collect::<Vec<_>>()
        .join("; ")
}

#[test]
fn a_whole_folder_is_intact_with_the_key_and_self_consistent_without() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    whole(folder);
    let (code, verdict) = verify(folder, &[]);
    assert_eq!(
        (code, &verdict["verdict"]),
        (0, &"self-consistent, unauthenticated".into())
    );
    assert!(
        list(&verdict["not_checked"]).contains("--vkey"),
        "{verdict}"
    );
    assert!(
        list(&verdict["not_checked"]).contains("--since"),
        "{verdict}"
    );

    fs::copy(folder.join("d/checkpoint"), folder.join("kept")).unwrap();
    let all = ["--vkey", "vkey", "--since", "kept", "--keys", "d.keys"];
    let (code, verdict) = verify(folder, &all);
    assert_eq!(
        (code, &verdict["verdict"]),
        (0, &"intact".into()),
        "{verdict}"
    );
    assert_eq!(verdict["events"], verdict["payloads"]);
    assert_eq!(
        list(&verdict["not_checked"]),
        "what the payloads say: they are sealed"
    );

    let (code, text, _) = run(folder, &["verify", "d", "--vkey", "vkey"]);
    assert_eq!(code, 0);
    assert!(text.starts_with("INTACT\n"), "{text}");
    assert!(text.lines().last().unwrap().starts_with("next "), "{text}");
}

#[test]
fn a_folder_being_served_is_intact_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    whole(folder);
    let served = Served::start(folder, &["serve", "--data", "d", "--listen", "127.0.0.1:0"]);
    let (code, verdict) = verify(folder, &["--vkey", "vkey"]);
    assert_eq!(
        (code, &verdict["verdict"]),
        (0, &"intact".into()),
        "{verdict}"
    );
    assert_eq!(served.stop(), 0);
}

#[test]
fn one_flipped_byte_is_damage_and_a_covered_up_one_tampering_both_at_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    whole(folder);
    copy(&folder.join("d"), &folder.join("whole"));
    for (flags, code, verdict) in [(&[][..], 11, "damaged"), (&["--cover-up"], 10, "tampered")] {
        fs::remove_dir_all(folder.join("d")).unwrap();
        copy(&folder.join("whole"), &folder.join("d"));
        let tamper = [&["demo", "tamper", "--data", "d"], flags].concat();
        let (done, said, stderr) = run(folder, &tamper);
        assert_eq!(done, 0, "{stderr}");
        let (found, answer) = verify(folder, &["--vkey", "vkey"]);
        assert_eq!(
            (found, &answer["verdict"]),
            (code, &verdict.into()),
            "{answer}"
        );
        let bad = &answer["first_bad"];
        assert!(
            said.starts_with(bad["file"].as_str().unwrap()),
            "{said} {bad}"
        );
        assert!(bad["offset"].is_u64() && bad["position"].is_u64(), "{bad}");
    }
}

#[test]
fn a_shortened_file_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    whole(folder);
    for path in segments(folder)
        .into_iter()
        .chain([folder.join("d/meta"), folder.join("d/checkpoint")])
    {
        let bytes = fs::read(&path).unwrap();
        for keep in [bytes.len() / 2, bytes.len() - 1, 0] {
            fs::write(&path, &bytes[..keep]).unwrap();
            let (code, verdict) = verify(folder, &[]);
            // Of the last segment's footer a crash may leave a part: nothing that was acknowledged is gone then.
            let torn_footer = Some(&path) == segments(folder).last() && keep == bytes.len() - 1;
            let expected = if torn_footer { 0 } else { 11 };
            assert_eq!(
                code,
                expected,
                "{} cut to {keep}: {verdict}",
                path.display()
            );
        }
        fs::remove_file(&path).unwrap();
        let (code, verdict) = verify(folder, &["--vkey", "vkey"]);
        assert_eq!(code, 11, "{} missing: {verdict}", path.display());
        fs::write(&path, &bytes).unwrap();
    }
    assert_eq!(verify(folder, &["--vkey", "vkey"]).0, 0);
}

#[test]
fn a_folder_written_and_signed_anew_passes_only_without_the_old_key() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    whole(folder);
    fs::rename(folder.join("vkey"), folder.join("old")).unwrap();
    fs::remove_dir_all(folder.join("d")).unwrap();
    fs::remove_dir_all(folder.join("d.keys")).unwrap();
    whole(folder);
    let (code, verdict) = verify(folder, &[]);
    assert_eq!(
        (code, &verdict["verdict"]),
        (0, &"self-consistent, unauthenticated".into())
    );
    let (code, verdict) = verify(folder, &["--vkey", "old"]);
    assert_eq!(
        (code, &verdict["first_bad"]["file"]),
        (10, &"checkpoint".into())
    );
}

#[test]
fn a_log_taken_back_shows_against_a_checkpoint_that_was_kept() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    whole(folder);
    for name in ["d", "d.keys"] {
        copy(&folder.join(name), &folder.join("before").join(name));
    }
    fs::write(
        folder.join("3.ndjson"),
        EVENTS.lines().nth(1).unwrap().replace("0003", "0007"),
    )
    .unwrap();
    assert_eq!(
        run(folder, &["import", "events", "3.ndjson", "--data", "d"]).0,
        0
    );
    fs::copy(folder.join("d/checkpoint"), folder.join("kept")).unwrap();
    let since = ["--vkey", "vkey", "--since", "kept"];
    assert_eq!(verify(folder, &since).0, 0);
    fs::remove_dir_all(folder.join("d")).unwrap();
    copy(&folder.join("before/d"), &folder.join("d"));
    assert_eq!(
        verify(folder, &["--vkey", "vkey"]).0,
        0,
        "by itself nothing shows"
    );
    let (code, verdict) = verify(folder, &since);
    assert_eq!(
        (code, &verdict["verdict"]),
        (10, &"tampered".into()),
        "{verdict}"
    );
}

#[test]
fn a_flipped_bit_in_any_file_of_the_truth_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    whole(folder);
    fs::write(folder.join("icd.csv"), "code,name_vi\nI11,Tim\n").unwrap();
    let load = [
        "catalogue",
        "load",
        "icd.csv",
        "--name",
        "icd10",
        "--data",
        "d",
    ];
    let of = ["--system", "icd10", "--list-version", "own", "--complete"];
    assert_eq!(run(folder, &[&load[..], &of].concat()).0, 0);
    let mut files = segments(folder);
    files.extend([folder.join("d/meta"), folder.join("d/checkpoint")]);
    for of in ["d.keys", "d/catalogue"] {
        let entries = fs::read_dir(folder.join(of)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        files.extend(paths.filter(|path| path.is_file() && fs::metadata(path).unwrap().len() > 0));
    }
    let flags = ["--vkey", "vkey", "--keys", "d.keys"];
    assert_eq!(verify(folder, &flags).0, 0);
    for path in files {
        let bytes = fs::read(&path).unwrap();
        for at in [0, bytes.len() / 3, bytes.len() / 2, bytes.len() - 1] {
            let mut bad = bytes.clone();
            bad[at] ^= 4;
            fs::write(&path, &bad).unwrap();
            let (code, verdict) = verify(folder, &flags);
            assert!(
                matches!(code, 10 | 11),
                "{} byte {at}: {code} {verdict}",
                path.display()
            );
            assert!(verdict["first_bad"]["file"].is_string());
        }
        fs::write(&path, &bytes).unwrap();
    }
}

#[test]
fn what_is_no_data_folder_or_no_key_is_a_wrong_call() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    assert_eq!(run(folder, &["verify", "nothing"]).0, 2);
    whole(folder);
    fs::write(folder.join("bad"), "no key").unwrap();
    for flags in [["--vkey", "bad"], ["--since", "bad"], ["--vkey", "missing"]] {
        let (code, _, stderr) = run(folder, &[&["verify", "d"], &flags[..]].concat());
        assert_eq!(code, 2, "{stderr}");
        assert!(stderr.contains(flags[0]), "{stderr}");
    }
}
