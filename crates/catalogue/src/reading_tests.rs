//! Promises of reading list files: what is taken, and what is said of what is wrong.

use super::*;

fn spec() -> LoadSpec {
    LoadSpec {
        name: Some("drugs".into()),
        system: Some("drug-vn".into()),
        version: Some("2026".into()),
        ..LoadSpec::default()
    }
}

fn refused(csv: &str) -> String {
    load(&spec(), "drugs.csv", csv.as_bytes())
        .unwrap_err()
        .to_string()
}

const HEADER: &str = "code,name_vi,name_en,parent,valid_from,valid_to\n";

#[test]
fn the_documented_shape_is_taken() {
    let csv = format!("\u{feff}{HEADER}A1,Một,One,,2020-01-01,2020-12-31\nA2,\"Hai, ba\",,A1,,\n");
    let (loaded, report) = load(&spec(), "drugs.csv", csv.as_bytes()).unwrap();
    assert_eq!(
        report,
        ReadReport {
            shape: "catalogue",
            taken: 2,
            repeated: 0
        }
    );
    let Loaded::List(list) = loaded else {
        panic!("a list")
    };
    let entry = list.entry("A2").unwrap();
    assert_eq!((&*entry.vi, &*entry.parent), ("Hai, ba", "A1"));
    assert!(
        !list
            .entry("A1")
            .unwrap()
            .valid_on(crate::dates::day("2021-01-01"))
    );
}

#[test]
fn what_is_wrong_is_named_by_file_line_and_column() {
    let cases = [
        (
            "A1,Một,,,2020-13-01,\n",
            "read drugs.csv, line 2, column valid_from: expected a day YYYY-MM-DD or nothing",
        ),
        (
            "A1,Một,,,,\n,Hai,,,,\n",
            "read drugs.csv, line 3, column code: expected a code of 1 to 64 bytes",
        ),
        (
            "A1,,,,,\n",
            "read drugs.csv, line 2, column name_vi: expected a name",
        ),
        (
            "A1,Một,,,,\nA1,Hai,,,,\n",
            "read drugs.csv, line 3, column code: the code stands in line 2 with other names",
        ),
        ("A1,Một\n", "read drugs.csv, line 2: not well-formed CSV"),
        (
            "A1,M,,,2020-01-02,2020-01-01\n",
            "read drugs.csv, line 2, column valid_to: expected a day not before valid_from",
        ),
        ("", "read drugs.csv: no rows below the header"),
    ];
    for (rows, message) in cases {
        assert_eq!(refused(&format!("{HEADER}{rows}")), message);
    }
}

#[test]
fn a_row_that_repeats_another_is_counted_and_left_out() {
    let csv = format!("{HEADER}A1,Một,,,,\nA1,Một,,,,\n");
    let (_, report) = load(&spec(), "drugs.csv", csv.as_bytes()).unwrap();
    assert_eq!((report.taken, report.repeated), (1, 1));
}

#[test]
fn a_header_that_fits_no_shape_names_the_shapes() {
    let message = refused("a,b\n1,2\n");
    assert!(message.starts_with("read drugs.csv, line 1: the header fits no known shape"));
    assert!(message.contains("communes-2025"), "{message}");
}

#[test]
fn a_shape_asked_for_by_name_says_which_column_is_missing() {
    let spec = LoadSpec {
        shape: Some("communes-2025".into()),
        ..spec()
    };
    let error = load(&spec, "c.csv", "code,name\n1,x\n".as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "read c.csv, line 1: no column full_name, which the shape communes-2025 needs"
    );
}

#[test]
fn text_that_is_not_utf8_is_refused_with_its_line() {
    let mut csv = HEADER.as_bytes().to_vec();
    csv.extend(b"A1,\xff\xfe,,,,\n");
    let error = load(&spec(), "drugs.csv", csv.as_slice()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "read drugs.csv, line 2: not well-formed CSV"
    );
}

#[test]
fn names_that_could_leave_the_folder_are_refused() {
    for name in ["../x", "a/b", "", "A", ".hidden"] {
        let spec = LoadSpec {
            name: Some(name.into()),
            ..spec()
        };
        let csv = format!("{HEADER}A1,Một,,,,\n");
        let error = load(&spec, "drugs.csv", csv.as_bytes()).unwrap_err();
        assert!(
            matches!(error, ReadError::BadSetting { field: "name", .. }),
            "{name}: {error}"
        );
    }
}

#[test]
fn more_rows_than_the_limit_are_refused() {
    let mut csv = String::from("code,name_vi\n");
    for n in 0..=ROWS_MAX {
        csv.push_str(&format!("{n},x\n"));
    }
    assert_eq!(refused(&csv), "read drugs.csv: more than 200000 rows");
}

#[test]
fn known_faults_of_a_published_file_are_corrected() {
    let csv = "code,code_nodot,category3,name_en,name_vi,dagger\n\
               I10,I10,I10,Other rheumatic heart diseases,Bệnh lý tăng huyết áp,0\n\
               A17.0†,A170,A17,Tuberculous meningitis,Viêm màng não do lao,1\n";
    let (loaded, _) = load(&LoadSpec::default(), "icd.csv", csv.as_bytes()).unwrap();
    let Loaded::List(list) = loaded else {
        panic!("a list")
    };
    assert_eq!(
        &*list.entry("I10").unwrap().en,
        "Essential (primary) hypertension"
    );
    assert_eq!(&*list.entry("A170").unwrap().code, "A17.0†");
}

#[test]
fn lines_are_counted_right_with_windows_line_ends() {
    let message = refused("code,name_vi\r\nA1,Một\r\nA2,Hai\r\nA3,\r\n");
    assert_eq!(
        message,
        "read drugs.csv, line 4, column name_vi: expected a name"
    );
}
