//! The published lists about Vietnam, where `SOKHOE_DATA` names their folder: each is taken in as it is,
//! survives storing, and answers what the law says.

#![allow(clippy::unwrap_used, reason = "a test says so loudly")]

use std::fs::File;
use std::path::PathBuf;

use sokhoe_catalogue::{
    Catalogue, Check, Language, LoadSpec, ReadReport, load, open_folder, save, shapes,
};
use sokhoe_record::{Date, PartialDate};

fn supplied(file: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("SOKHOE_DATA") else {
        eprintln!("skipped: SOKHOE_DATA is not set, so {file} is not there to be read");
        return None;
    };
    Some(PathBuf::from(folder).join("vietnam").join(file))
}

fn day(text: &str) -> Date {
    PartialDate::parse(text).unwrap().whole().unwrap()
}

/// Loads files into a fresh folder and opens it again.
fn stored(files: &[&str]) -> Option<(Catalogue, Vec<ReadReport>)> {
    let data = tempfile::tempdir().unwrap();
    let mut reports = Vec::new();
    for file in files {
        let path = supplied(file)?;
        let source = File::open(&path).unwrap();
        let (loaded, report) = load(&LoadSpec::default(), file, source).unwrap();
        save(data.path(), &loaded).unwrap();
        reports.push(report);
    }
    Some((open_folder(data.path()).unwrap(), reports))
}

#[test]
fn administrative_units_before_and_after_the_reform_are_whole() {
    let files = [
        ("admin/communes_2025.csv", 3_321),
        ("admin/provinces_2025.csv", 34),
        ("admin/legacy_wards_before_2025-07.csv", 10_035),
        ("admin/legacy_districts_before_2025-07.csv", 696),
        ("admin/province_mapping_63_to_34.csv", 63),
    ];
    let Some((catalogue, reports)) = stored(&files.map(|(file, _)| file)) else {
        return;
    };
    for ((file, rows), report) in files.iter().zip(&reports) {
        assert_eq!(report.taken, *rows, "{file}");
    }
    let after = day("2025-07-01");
    assert!(matches!(
        catalogue.check_commune("00004", after),
        Check::Checked { .. }
    ));
    // 00001 was the ward of Phúc Xá; the reform ended it.
    assert!(matches!(
        catalogue.check_commune("00001", after),
        Check::Unknown { .. }
    ));
    assert!(matches!(
        catalogue.check_commune("00001", day("2025-06-30")),
        Check::Checked { .. }
    ));
    assert!(matches!(
        catalogue.check_commune("00001", day("2015-06-30")),
        Check::NoList
    ));
}

#[test]
fn every_former_ward_leads_to_communes_of_today() {
    let files = [
        "admin/ward_mapping_old_to_2025.csv",
        "admin/communes_2025.csv",
        "admin/legacy_wards_before_2025-07.csv",
    ];
    let Some((catalogue, _)) = stored(&files) else {
        return;
    };
    let wards = catalogue
        .list_on("dvhc", "communes", day("2025-06-30"))
        .unwrap();
    assert_eq!(wards.entries().len(), 10_035);
    for ward in wards.entries() {
        let new = catalogue.successors("dvhc", &ward.code);
        assert!(!new.is_empty(), "{}", ward.code);
        for commune in new {
            let check = catalogue.check_commune(commune, day("2025-07-01"));
            assert!(
                matches!(check, Check::Checked { .. }),
                "{} to {commune}",
                ward.code
            );
        }
    }
}

#[test]
fn built_in_areas_are_those_of_the_published_list() {
    let Some((catalogue, _)) = stored(&["admin/communes_2025.csv"]) else {
        return;
    };
    let on = day("2025-07-01");
    let all = catalogue.list_on("dvhc", "communes", on).unwrap();
    let ours = catalogue.list_on("dvhc", "communes-hcmc", on).unwrap();
    let of_city = all.entries().iter().filter(|entry| &*entry.parent == "79");
    assert!(
        of_city
            .map(|e| (&e.code, &e.vi))
            .eq(ours.entries().iter().map(|e| (&e.code, &e.vi)))
    );
}

#[test]
fn the_whole_icd10_of_decision_4469_is_taken_and_refuses_what_it_lacks() {
    let Some((catalogue, reports)) = stored(&["icd10/icd10_vn_qd4469.csv"]) else {
        return;
    };
    // 12,219 rows, of which J13 stands there twice.
    assert_eq!(
        reports.first().map(|r| (r.taken, r.repeated)),
        Some((12_218, 1))
    );
    let on = day("2026-01-01");
    for code in ["I10", "E11.9", "e119", "A17.0", "A17.0†", "J13"] {
        assert!(
            matches!(
                catalogue.check("icd10", None, code, on),
                Check::Checked { .. }
            ),
            "{code}"
        );
    }
    for code in ["I99.99", "AAA", "I10-I15"] {
        assert!(
            matches!(
                catalogue.check("icd10", None, code, on),
                Check::Unknown { .. }
            ),
            "{code}"
        );
    }
    let english = catalogue.display("icd10", "I10", Language::En);
    assert_eq!(english, Some("Essential (primary) hypertension"));
}

#[test]
fn small_lists_are_taken_by_the_shape_of_their_header() {
    let files = [
        ("icd10/icd10_vn_chapters.csv", 22),
        ("icd10/icd10_vn_blocks.csv", 212),
        ("vaccines/cvx_valueset_vncore.csv", 172),
        ("vaccines/epi_schedule.csv", 27),
        ("codes/ethnic_groups.csv", 56),
        ("codes/occupation_4069.csv", 13),
    ];
    let Some((_, reports)) = stored(&files.map(|(file, _)| file)) else {
        return;
    };
    for ((file, rows), report) in files.iter().zip(&reports) {
        assert_eq!(report.taken, *rows, "{file} as {}", report.shape);
    }
}

#[test]
fn a_file_without_defaults_is_taken_with_what_the_operator_says() {
    let Some(path) = supplied("codes/occupation_qd34_level2.csv") else {
        return;
    };
    let spec = LoadSpec {
        name: Some("occupations".into()),
        system: Some("occupation-vn".into()),
        version: Some("qd34-2020".into()),
        ..LoadSpec::default()
    };
    let (loaded, report) = load(&spec, "occupations", File::open(path).unwrap()).unwrap();
    assert_eq!((loaded.count(), report.shape), (49, "name"));
}

#[test]
fn every_shape_has_a_name_of_its_own() {
    let mut names: Vec<_> = shapes().iter().map(|shape| shape.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}
