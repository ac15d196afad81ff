//! Promises of stored lists: what was saved comes back, and damage is found and named.

use super::*;
use crate::catalogue::Check;

const CSV: &str = "code,name_vi,name_en,parent,valid_from,valid_to\n\
                   A1,\"Một, hai\",One,,2020-01-01,\nA2,\"Ba \"\"bốn\"\"\",,A1,,\n";

fn loaded(csv: &str) -> Loaded {
    let spec = LoadSpec {
        name: Some("drugs".into()),
        system: Some("drug-vn".into()),
        version: Some("2026".into()),
        complete: Some(true),
        valid_from: Some(crate::dates::day("2026-01-01")),
        ..LoadSpec::default()
    };
    reading::load(&spec, "drugs.csv", csv.as_bytes()).unwrap().0
}

#[test]
fn a_saved_list_is_there_after_reopening() {
    let data = tempfile::tempdir().unwrap();
    save(data.path(), &loaded(CSV)).unwrap();
    let catalogue = open_folder(data.path()).unwrap();
    let day = crate::dates::day("2026-02-01");
    let Check::Checked { entry, .. } = catalogue.check("drug-vn", None, "A2", day) else {
        panic!("A2 is in the list")
    };
    assert_eq!((&*entry.vi, &*entry.parent), ("Ba \"bốn\"", "A1"));
    assert!(matches!(
        catalogue.check("drug-vn", None, "A3", day),
        Check::Unknown { .. }
    ));
}

#[test]
fn a_saved_crosswalk_is_there_after_reopening() {
    let data = tempfile::tempdir().unwrap();
    save(data.path(), &loaded("old_code,new_code\nA,B\nA,C\nD,C\n")).unwrap();
    let catalogue = open_folder(data.path()).unwrap();
    assert_eq!(catalogue.successors("drug-vn", "A"), ["B", "C"]);
}

#[test]
fn any_flipped_bit_is_found_and_the_file_named() {
    let data = tempfile::tempdir().unwrap();
    let path = save(data.path(), &loaded(CSV)).unwrap();
    let good = fs::read(&path).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        fs::write(&path, &bad).unwrap();
        let error = open_folder(data.path()).unwrap_err().to_string();
        assert!(
            error.contains("drug-vn+drugs@2026.list: damaged"),
            "byte {at}: {error}"
        );
    }
}

#[test]
fn a_file_under_another_name_is_damage() {
    let data = tempfile::tempdir().unwrap();
    let path = save(data.path(), &loaded(CSV)).unwrap();
    fs::rename(&path, path.with_file_name("drug-vn+drugs@2027.list")).unwrap();
    assert!(matches!(
        open_folder(data.path()),
        Err(FileError::Damaged { .. })
    ));
}

#[test]
fn a_write_that_a_crash_cut_off_is_not_a_list() {
    let data = tempfile::tempdir().unwrap();
    let path = save(data.path(), &loaded(CSV)).unwrap();
    fs::write(path.with_extension("new"), b"half").unwrap();
    assert!(open_folder(data.path()).is_ok());
}

#[test]
fn a_removed_list_is_gone_and_removing_it_again_says_so() {
    let data = tempfile::tempdir().unwrap();
    let list = loaded(CSV);
    save(data.path(), &list).unwrap();
    remove(data.path(), list.identity()).unwrap();
    assert!(matches!(
        remove(data.path(), list.identity()),
        Err(FileError::NotLoaded { .. })
    ));
}

#[test]
fn a_list_of_a_system_named_by_uri_is_stored_under_a_plain_name() {
    let data = tempfile::tempdir().unwrap();
    let spec = LoadSpec {
        name: Some("tests".into()),
        system: Some("http://example.org/../Tests".into()),
        version: Some("1".into()),
        ..LoadSpec::default()
    };
    let (list, _) = reading::load(&spec, "t.csv", CSV.as_bytes()).unwrap();
    let path = save(data.path(), &list).unwrap();
    assert_eq!(path.parent(), Some(&*data.path().join(CATALOGUE_FOLDER)));
    let catalogue = open_folder(data.path()).unwrap();
    assert_eq!(
        catalogue.display("http://example.org/../Tests", "A1", crate::Language::En),
        Some("One")
    );
}

#[test]
fn a_folder_takes_no_more_files_than_can_be_opened_again() {
    let data = tempfile::tempdir().unwrap();
    let path = save(data.path(), &loaded(CSV)).unwrap();
    for number in 1..FOLDER_FILES_MAX {
        fs::write(path.with_file_name(format!("{number}.list")), "").unwrap();
    }
    save(data.path(), &loaded(CSV)).unwrap();
    fs::rename(&path, path.with_file_name("0.list")).unwrap();
    let refused = save(data.path(), &loaded(CSV)).unwrap_err();
    assert!(
        matches!(refused, FileError::TooManyFiles { .. }),
        "{refused}"
    );
}
