//! Who may do what, told by example.

use super::*;

fn person(last: u8) -> PersonId {
    format!("0192f0c1-7a3b-4c11-9e2f-0242ac1200{last:02x}")
        .parse()
        .unwrap()
}

fn caller(role: Role, facility: Option<&str>, is: Option<PersonId>) -> Principal {
    Principal {
        role,
        facility: facility.map(str::to_owned),
        person: is,
        ..Principal::operator("x")
    }
}

fn hospital() -> Principal {
    caller(Role::Hospital, Some("99001"), None)
}

fn citizen() -> Principal {
    caller(Role::Citizen, None, Some(person(1)))
}

fn rule(decision: &AppendDecision<'_>) -> (&'static str, bool) {
    match decision {
        AppendDecision::Allowed { rule, .. } => (rule.0, true),
        AppendDecision::Denied(denial) => (denial.rule.0, false),
    }
}

fn check(principal: &Principal, request: &AppendRequest<'_>, expected: (&str, bool)) {
    assert_eq!(
        rule(&may_append(principal, request)),
        expected,
        "{principal:?} {request:?}"
    );
}

#[test]
fn staff_append_for_their_own_facility_only() {
    for role in [Role::Hospital, Role::Clinician, Role::Station] {
        let staff = caller(role, Some("99001"), None);
        let of = |facility| AppendRequest::of(Kind::EncounterRecorded, facility, Some(person(1)));
        check(&staff, &of(Some("99001")), ("append.staff.clinical", true));
        check(&staff, &of(Some("99002")), ("append.staff.clinical", false));
        let missing = of(None);
        let filled = may_append(&staff, &missing);
        assert!(matches!(
            filled,
            AppendDecision::Allowed {
                facility: Some("99001"),
                ..
            }
        ));
    }
}

#[test]
fn citizens_report_about_themselves_only() {
    let about = |kind, who| AppendRequest::of(kind, None, who);
    let (own, other) = (Some(person(1)), Some(person(2)));
    check(
        &citizen(),
        &about(Kind::SelfReportSubmitted, own),
        ("append.own", true),
    );
    check(
        &citizen(),
        &about(Kind::ConsentGranted, own),
        ("append.own", true),
    );
    check(
        &citizen(),
        &about(Kind::SelfReportSubmitted, other),
        ("append.own", false),
    );
    check(
        &citizen(),
        &about(Kind::SelfReportSubmitted, None),
        ("append.own", false),
    );
    check(
        &citizen(),
        &about(Kind::EncounterRecorded, own),
        ("append.otherwise", false),
    );
}

#[test]
fn staff_write_down_what_people_state_at_their_own_counter_only() {
    for kind in [
        Kind::ConsentGranted,
        Kind::SelfReportSubmitted,
        Kind::GuardianAppointed,
    ] {
        let of = |facility| AppendRequest::of(kind, Some(facility), Some(person(1)));
        check(&hospital(), &of("99001"), ("append.staff.stated", true));
        check(&hospital(), &of("99002"), ("append.staff.stated", false));
    }
}

#[test]
fn only_the_server_writes_its_own_kinds() {
    let everybody = Role::ALL
        .iter()
        .map(|role| caller(*role, Some("99001"), Some(person(1))));
    for principal in everybody {
        for kind in Kind::ALL.iter().copied().filter(|kind| kind.server_only()) {
            let request = AppendRequest::of(kind, Some("99001"), Some(person(1)));
            check(&principal, &request, ("append.server_only", false));
        }
    }
}

#[test]
fn aggregate_and_watching_roles_append_nothing() {
    let roles = [
        Role::Auditor,
        Role::Epidemiologist,
        Role::Researcher,
        Role::Department,
    ];
    for role in roles.into_iter().chain([Role::Dashboard]) {
        let principal = caller(role, Some("99001"), Some(person(1)));
        for kind in Kind::ALL.iter().copied().filter(|kind| !kind.server_only()) {
            let request = AppendRequest::of(kind, Some("99001"), Some(person(1)));
            check(&principal, &request, ("append.otherwise", false));
        }
    }
}

#[test]
fn staff_correct_events_of_their_own_facility_only() {
    let correction = |facility, recorded_by| AppendRequest {
        corrected: Some(Corrected {
            facility,
            person: Some(person(1)),
            recorded_by,
        }),
        ..AppendRequest::of(Kind::CorrectionMade, None, Some(person(1)))
    };
    let rule = "append.staff.correction";
    check(
        &hospital(),
        &correction(Some("99001"), "hospital:a@99001"),
        (rule, true),
    );
    check(
        &hospital(),
        &correction(Some("99002"), "hospital:b@99002"),
        (rule, false),
    );
    check(
        &hospital(),
        &correction(Some("99001"), "citizen:c"),
        (rule, false),
    );
    check(
        &hospital(),
        &correction(None, "hospital:a@99001"),
        (rule, false),
    );
    let unknown = AppendRequest::of(Kind::CorrectionMade, Some("99001"), Some(person(1)));
    check(&hospital(), &unknown, (rule, false));
}

#[test]
fn citizens_correct_their_own_reports_only() {
    let correction = |who, recorded_by| AppendRequest {
        corrected: Some(Corrected {
            facility: None,
            person: who,
            recorded_by,
        }),
        ..AppendRequest::of(Kind::CorrectionMade, None, Some(person(1)))
    };
    let rule = "append.own.correction";
    check(
        &citizen(),
        &correction(Some(person(1)), "citizen:c"),
        (rule, true),
    );
    check(
        &citizen(),
        &correction(Some(person(1)), "hospital:a@99001"),
        (rule, false),
    );
    check(
        &citizen(),
        &correction(Some(person(2)), "citizen:d"),
        (rule, false),
    );
}

#[test]
fn hospitals_name_places_in_their_own_name() {
    let place = |facility| AppendRequest::of(Kind::FacilityRegistered, facility, None);
    let rule = "append.hospital.places";
    check(&hospital(), &place(None), (rule, true));
    check(&hospital(), &place(Some("99001")), (rule, true));
    check(&hospital(), &place(Some("99002")), (rule, false));
    let admin = caller(Role::Admin, None, None);
    check(&admin, &place(Some("99002")), ("append.admin.places", true));
    let station = caller(Role::Station, Some("99001"), None);
    check(&station, &place(Some("99001")), ("append.otherwise", false));
}

#[test]
fn staff_find_those_whom_their_facility_knows_and_nobody_else_finds_others() {
    let filter = Filter::OnlyFacility("99001".to_owned());
    for purpose in Purpose::ALL {
        let found = may_search(&hospital(), *purpose);
        if *purpose == Purpose::Research {
            assert!(matches!(found, ReadDecision::Denied(_)));
            continue;
        }
        let (rule, filter) = (READ_FACILITY, filter.clone());
        assert_eq!(found, ReadDecision::Permit { rule, filter });
    }
    for role in Role::ALL
        .iter()
        .filter(|role| !role.staff() && **role != Role::Citizen)
    {
        let principal = caller(*role, Some("99001"), Some(person(1)));
        let decision = may_search(&principal, Purpose::Operations);
        assert!(matches!(decision, ReadDecision::Denied(_)), "{role}");
    }
}

#[test]
fn a_card_in_the_hand_of_who_treats_finds_its_owner() {
    let clinician = caller(Role::Clinician, Some("99001"), None);
    for purpose in Purpose::ALL {
        let treats = matches!(purpose, Purpose::Treatment | Purpose::Emergency);
        assert_eq!(finds_by_identifier(&clinician, *purpose).is_some(), treats);
        assert_eq!(finds_by_identifier(&hospital(), *purpose), None);
    }
}

#[test]
fn the_glass_is_broken_by_staff_with_a_reason() {
    let reason = |text: &str| may_break_glass(&hospital(), text).map_err(|denial| denial.rule.0);
    assert!(reason("Bất tỉnh, không người nhà").is_ok());
    let long = "x".repeat(100_000);
    for text in ["", "  ", "x ", long.as_str()] {
        assert_eq!(reason(text), Err("glass.staff"));
    }
    for role in Role::ALL.iter().filter(|role| !role.staff()) {
        let principal = caller(*role, Some("99001"), Some(person(1)));
        assert!(
            may_break_glass(&principal, "a good reason").is_err(),
            "{role}"
        );
    }
}

#[test]
fn who_looked_is_shown_to_the_person_their_guardian_and_auditors() {
    let may = |principal: &Principal, own| match may_see_looks(principal, own) {
        ReadDecision::Permit { rule, .. } => (rule.0, "all"),
        ReadDecision::Hidden { rule } => (rule.0, "hidden"),
        ReadDecision::Denied(denial) => (denial.rule.0, "denied"),
    };
    let auditor = caller(Role::Auditor, None, None);
    assert_eq!(may(&auditor, false), ("looks.auditor", "all"));
    for reader in [citizen(), caller(Role::Guardian, None, Some(person(1)))] {
        assert_eq!(may(&reader, true), ("looks.own", "all"));
        assert_eq!(may(&reader, false), ("looks.own", "hidden"));
    }
    assert_eq!(may(&hospital(), false), ("looks.otherwise", "denied"));
    assert_eq!(may(&Principal::operator("x"), false).1, "denied");
}

#[test]
fn staff_say_why_they_read() {
    assert_eq!(
        purpose_of_read(Role::Clinician, None),
        Err(PurposeError::Missing)
    );
    assert_eq!(
        purpose_of_read(Role::Clinician, Some("CARE")),
        Err(PurposeError::Unknown)
    );
    assert_eq!(
        purpose_of_read(Role::Clinician, Some("TREAT")),
        Ok(Purpose::Treatment)
    );
    assert_eq!(
        purpose_of_read(Role::Citizen, None),
        Ok(Purpose::PatientRequest)
    );
}

#[test]
fn auditors_prove_all_events_and_guardians_those_of_their_ward_without_reading_any() {
    let auditor = caller(Role::Auditor, None, None);
    let guardian = caller(Role::Guardian, None, Some(person(1)));
    for own in [false, true] {
        assert!(matches!(
            may_prove(&auditor, own),
            Some(ReadDecision::Permit { .. })
        ));
        let proved = may_prove(&guardian, own);
        assert_eq!(matches!(proved, Some(ReadDecision::Permit { .. })), own);
        assert_eq!(may_prove(&citizen(), own), None);
        assert_eq!(may_prove(&hospital(), own), None);
    }
    for reader in [auditor, guardian] {
        let read = may_search(&reader, Purpose::Operations);
        assert!(matches!(read, ReadDecision::Denied(_)));
    }
}
