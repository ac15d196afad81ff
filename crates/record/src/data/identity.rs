//! Who a person is: registration, changes, numbers, merges, death, family.

use crate::{
    block::{
        Address, BloodGroup, Change, CodeOrText, Household, Identifier, IdentifierStatus,
        Insurance, Name, PersonRef,
    },
    field::{Cx, Path},
    id::EventId,
    limits::NARRATIVE_CHARS_MAX,
    time::PartialDate,
};

words! {
    /// Administrative sex.
    pub enum Sex {
        Unknown = "unknown",
        Male = "male",
        Female = "female",
        Other = "other",
    }
}

data! {
    /// A person becomes known.
    plain PersonRegistered {
        /// The numbers that name them.
        identifiers: Vec<Identifier> => 50,
        /// Their name.
        name: Name,
        /// Their sex.
        sex: Sex,
        /// When they were born, as far as it is known.
        birth_date: PartialDate,
        /// Where they were born.
        birth_place: Option<Address>,
        /// Ethnic group.
        ethnic_group: Option<CodeOrText>,
        /// Nationality.
        nationality: Option<CodeOrText>,
        /// Religion.
        religion: Option<CodeOrText>,
        /// Occupation.
        occupation: Option<CodeOrText>,
        /// Blood group.
        blood_group: Option<BloodGroup>,
        /// Where they live now.
        current_address: Option<Address>,
        /// Where they are registered as living.
        permanent_address: Option<Address>,
        /// Telephone numbers.
        phones: Vec<String> => 20,
        /// E-mail address.
        email: Option<String>,
        /// Household.
        household: Option<Household>,
        /// Mother.
        mother: Option<PersonRef>,
        /// Father.
        father: Option<PersonRef>,
        /// Who cares for them.
        carer: Option<PersonRef>,
        /// Health insurance.
        insurance: Option<Insurance>,
    }
}

data! {
    /// What is known of a person changes. A field left out stays, `null` takes it away.
    plain DemographicsChanged {
        /// Numbers to add or whose standing changes; others stay.
        identifiers: Vec<Identifier> => 50,
        /// Name.
        name: Change<Name>,
        /// Sex.
        sex: Change<Sex>,
        /// When they were born, as far as it is known.
        birth_date: Change<PartialDate>,
        /// Where they were born.
        birth_place: Change<Address>,
        /// Ethnic group.
        ethnic_group: Change<CodeOrText>,
        /// Nationality.
        nationality: Change<CodeOrText>,
        /// Religion.
        religion: Change<CodeOrText>,
        /// Occupation.
        occupation: Change<CodeOrText>,
        /// Blood group.
        blood_group: Change<BloodGroup>,
        /// Where they live now.
        current_address: Change<Address>,
        /// Where they are registered as living.
        permanent_address: Change<Address>,
        /// Telephone numbers, all of them.
        phones: Change<Vec<String>> => 20,
        /// E-mail address.
        email: Change<String>,
        /// Household.
        household: Change<Household>,
        /// Mother.
        mother: Change<PersonRef>,
        /// Father.
        father: Change<PersonRef>,
        /// Who cares for them.
        carer: Change<PersonRef>,
        /// Health insurance.
        insurance: Change<Insurance>,
        /// Since when it is so; the time of the event when left out.
        effective_on: Option<PartialDate>,
    }
}

data! {
    /// A number is added to a person, or its standing changes.
    plain IdentifierLinked {
        /// The number.
        identifier: Identifier,
        /// Its standing from now on.
        status: IdentifierStatus,
    }
}

data! {
    /// Two entries turn out to be one person; the person of the event survives.
    plain PeopleMerged {
        /// The other entry.
        retired: PersonRef,
        /// Why they are one.
        grounds: String => NARRATIVE_CHARS_MAX,
    }
    rules check_retired;
}

fn check_retired(merge: &PeopleMerged, at: Path<'_>, cx: &mut Cx) {
    if let PersonRef::Unresolved(_) = merge.retired {
        cx.error(
            at.key("retired"),
            "wrong_type",
            "expected an id or an identifier",
        );
    }
}

data! {
    /// A merge was wrong and ends.
    plain PeopleUnmerged {
        /// The merge.
        merge_event_id: EventId,
        /// Why it was wrong.
        grounds: String => NARRATIVE_CHARS_MAX,
    }
}

data! {
    /// A person died.
    clinical PersonDied {
        /// When, as far as it is known.
        died_on: PartialDate,
        /// Of what.
        cause: Option<CodeOrText>,
        /// Where.
        place: Option<CodeOrText>,
    }
}

words! {
    /// What a relative is to the person.
    pub enum FamilyRelation {
        Other = "other",
        Mother = "mother",
        Father = "father",
        Child = "child",
        Spouse = "spouse",
        Sibling = "sibling",
    }
}

data! {
    /// A relative is named.
    plain FamilyLinked {
        /// The relative.
        relative: PersonRef,
        /// What they are to the person.
        relation: FamilyRelation,
        /// Since when no more.
        ended_on: Option<PartialDate>,
    }
}
