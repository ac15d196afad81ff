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
fn citizens_read_themselves_and_see_nobody_else() {
    let read = |who| may_read(&citizen(), Purpose::PatientRequest, who);
    assert!(matches!(
        read(person(1)),
        ReadDecision::Permit {
            filter: Filter::All,
            ..
        }
    ));
    assert!(matches!(read(person(2)), ReadDecision::Hidden { .. }));
}

#[test]
fn staff_read_their_own_facility() {
    let read = |purpose| may_read(&hospital(), purpose, person(1));
    let filter = Filter::OnlyFacility("99001".to_owned());
    assert_eq!(
        read(Purpose::Treatment),
        ReadDecision::Permit {
            rule: READ_FACILITY,
            filter
        }
    );
    assert!(matches!(read(Purpose::Emergency), ReadDecision::Denied(_)));
    assert!(matches!(read(Purpose::Research), ReadDecision::Denied(_)));
}

#[test]
fn nobody_else_reads() {
    for role in Role::ALL
        .iter()
        .filter(|role| !role.staff() && **role != Role::Citizen)
    {
        let principal = caller(*role, Some("99001"), Some(person(1)));
        let decision = may_read(&principal, Purpose::Operations, person(1));
        assert!(matches!(decision, ReadDecision::Denied(_)), "{role}");
    }
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
    let may = |principal: &Principal, of: Option<PersonId>| match may_prove(
        principal,
        Purpose::Operations,
        of,
    ) {
        ReadDecision::Permit { rule, .. } => (rule.0, "all"),
        ReadDecision::Hidden { rule } => (rule.0, "hidden"),
        ReadDecision::Denied(denial) => (denial.rule.0, "denied"),
    };
    let auditor = caller(Role::Auditor, None, None);
    let guardian = caller(Role::Guardian, None, Some(person(1)));
    for of in [None, Some(person(1)), Some(person(2))] {
        assert_eq!(may(&auditor, of), ("prove.auditor", "all"));
        let expected = if of == Some(person(1)) {
            "all"
        } else {
            "hidden"
        };
        assert_eq!(may(&guardian, of), ("prove.guardian", expected));
        let citizens = may(&citizen(), of);
        assert_eq!(citizens, ("read.own", expected));
        assert_eq!(may(&Principal::operator("x"), of).1, "denied");
    }
    let nobody = caller(Role::Guardian, None, None);
    assert_eq!(may(&nobody, None).1, "hidden");
    assert_eq!(may(&hospital(), None).1, "hidden");
    for reader in [auditor, guardian] {
        let read = may_read(&reader, Purpose::Operations, person(1));
        assert!(matches!(read, ReadDecision::Denied(_)));
    }
}
