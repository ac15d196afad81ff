//! What the registry promises, on small made-up people.

use super::*;

fn person(number: u8) -> PersonId {
    PersonId::from_bytes([number; 16])
}

fn identifier(number: u8) -> IdentifierDigest {
    IdentifierDigest([number; 16])
}

fn registered(number: u8) -> Vec<Change> {
    vec![Change::Registered {
        person: person(number),
        identifiers: vec![identifier(number)],
    }]
}

fn merged(survivor: u8, retired: u8, merge: u8) -> Vec<Change> {
    vec![Change::Merged {
        survivor: person(survivor),
        retired: person(retired),
        merge: EventKey([merge; 16]),
    }]
}

fn with_people(count: u8) -> Registry {
    let registry = Registry::new();
    for number in 1..=count {
        registry
            .apply(&registered(number), u64::from(number))
            .unwrap();
    }
    registry
}

#[test]
fn an_identifier_names_one_person_only() {
    let registry = with_people(2);
    let link = [Change::Linked {
        person: person(2),
        identifier: identifier(1),
    }];
    assert_eq!(registry.apply(&link, 3), Err(Refused::IdentifierTaken));
    assert_eq!(registry.find(identifier(1)), Some(person(1)));
    let again = [Change::Registered {
        person: person(9),
        identifiers: vec![identifier(2)],
    }];
    assert_eq!(registry.apply(&again, 4), Err(Refused::IdentifierTaken));
    assert!(!registry.knows(person(9)));
}

#[test]
fn an_event_id_is_taken_once_for_ever() {
    let registry = Registry::new();
    let key = EventKey([7; 16]);
    assert_eq!(registry.take(key, 1), Ok(()));
    assert_eq!(registry.take(key, 2), Err(1));
    assert_eq!(registry.taken(key), Some(1));
}

#[test]
fn a_batch_that_fails_half_way_leaves_nothing() {
    let registry = with_people(1);
    let (second, third) = (registered(2), registered(1));
    let batch = [(second.as_slice(), 2), (third.as_slice(), 3)];
    assert_eq!(
        registry.apply_all(batch),
        Err((1, Refused::IdentifierTaken))
    );
    assert_eq!(registry.people_count(), 1);
    assert_eq!(registry.find(identifier(2)), None);
}

#[test]
fn a_merge_holds_from_its_position_until_its_unmerge() {
    let registry = with_people(3);
    registry.apply(&merged(1, 2, 50), 10).unwrap();
    registry.apply(&merged(3, 1, 51), 12).unwrap();
    assert_eq!(registry.survivor(person(2), None), Some(person(3)));
    assert_eq!(
        registry.members(person(3), None),
        [person(3), person(1), person(2)]
    );
    assert_eq!(registry.survivor(person(2), Some(9)), Some(person(2)));
    assert_eq!(registry.survivor(person(2), Some(11)), Some(person(1)));

    let end = [Change::Unmerged {
        survivor: person(3),
        merge: EventKey([51; 16]),
    }];
    registry.apply(&end, 20).unwrap();
    assert_eq!(registry.survivor(person(2), None), Some(person(1)));
    assert_eq!(registry.survivor(person(2), Some(19)), Some(person(3)));
    assert_eq!(registry.apply(&end, 21), Err(Refused::NoSuchMerge));
}

#[test]
fn a_retired_person_cannot_be_merged_again_and_nobody_with_themselves() {
    let registry = with_people(3);
    registry.apply(&merged(1, 2, 50), 10).unwrap();
    assert_eq!(
        registry.apply(&merged(3, 2, 51), 11),
        Err(Refused::AlreadyMerged)
    );
    assert_eq!(
        registry.apply(&merged(2, 1, 52), 12),
        Err(Refused::AlreadyMerged)
    );
    assert_eq!(
        registry.apply(&merged(3, 3, 53), 13),
        Err(Refused::AlreadyMerged)
    );
}

#[test]
fn death_does_not_come_before_birth() {
    let registry = with_people(1);
    let day = |text: &str| Some(sokhoe_record::PartialDate::parse(text).unwrap());
    registry
        .apply(
            &[Change::Born {
                person: person(1),
                on: day("1985-03"),
            }],
            2,
        )
        .unwrap();
    let early = [Change::Died {
        person: person(1),
        on: day("1985-02-28"),
    }];
    assert_eq!(registry.apply(&early, 3), Err(Refused::DeathBeforeBirth));
    registry
        .apply(
            &[Change::Died {
                person: person(1),
                on: day("1985"),
            }],
            4,
        )
        .unwrap();
}

#[test]
fn an_announced_registration_is_found_until_it_is_withdrawn() {
    let registry = Registry::new();
    registry.announce(person(1), &registered(1));
    registry.announce(person(2), &registered(1));
    assert_eq!(registry.find(identifier(1)), Some(person(1)));
    assert_eq!(registry.find_committed(identifier(1)), None);
    registry.withdraw(person(1), &registered(1));
    assert_eq!(registry.find(identifier(1)), None);
}

#[test]
fn a_snapshot_restores_everything() {
    let registry = with_people(4);
    registry.apply(&merged(1, 2, 50), 10).unwrap();
    registry.apply(&merged(3, 4, 51), 11).unwrap();
    let end = [Change::Unmerged {
        survivor: person(3),
        merge: EventKey([51; 16]),
    }];
    registry.apply(&end, 12).unwrap();
    registry.take(EventKey([7; 16]), 12).unwrap();
    let (bytes, at) = registry.snapshot(12);
    assert_eq!(at, 12);
    let (restored, position) = Registry::restore(&bytes).unwrap();
    assert_eq!(position, 12);
    assert_eq!(restored.all_people(), registry.all_people());
    assert_eq!(restored.find(identifier(3)), Some(person(3)));
    assert_eq!(restored.members(person(1), None), [person(1), person(2)]);
    assert_eq!(
        restored.members(person(3), Some(11)),
        [person(3), person(4)]
    );
    assert!(Registry::restore(&bytes[..bytes.len() - 1]).is_err());
}

#[test]
fn a_person_is_found_at_every_moment_of_their_registration() {
    // Once a lookup that ran between the writer's two steps found nobody: it had looked for the
    // committed registration before there was one, and for the announced one after it was gone.
    let registry = Registry::new();
    registry.announce(person(1), &registered(1));
    std::thread::scope(|scope| {
        let looking = scope.spawn(|| (0..20_000).all(|_| registry.find(identifier(1)).is_some()));
        registry.apply(&registered(1), 1).unwrap();
        registry.withdraw(person(1), &registered(1));
        assert!(looking.join().unwrap());
    });
}

#[test]
fn an_announcement_that_will_be_refused_hides_nobody() {
    let registry = with_people(1);
    registry.announce(person(2), &registered(1));
    assert_eq!(registry.find(identifier(1)), Some(person(1)));
}

#[test]
fn a_snapshot_is_true_at_the_last_change_even_where_that_is_not_durable_yet() {
    let registry = with_people(3);
    assert_eq!(registry.snapshot(2).1, 3);
    let (bytes, _) = registry.snapshot(2);
    assert_eq!(Registry::restore(&bytes).unwrap().0.people_count(), 3);
}
