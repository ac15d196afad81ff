//! Who looked at a record, who was refused, and what was said about it afterwards: written by the server alone.

use crate::{
    block::Section,
    data::Purpose,
    id::EventId,
    limits::{ENCOUNTER_ITEMS_MAX, NARRATIVE_CHARS_MAX, POSITION_MAX, WORD_CHARS_MAX},
    time::Occurred,
};

words! {
    /// The way by which a record was looked at.
    pub enum Interface {
        Record = "record",
        History = "history",
        Resource = "resource",
        Search = "search",
        Feed = "feed",
        Evidence = "evidence",
        Proof = "proof",
        Accesses = "accesses",
        Consents = "consents",
        CommandLine = "command_line",
    }
}

data! {
    /// Who looks, as authenticated; their facility stands in the envelope.
    part Viewer {
        /// The account.
        id: String => WORD_CHARS_MAX,
        /// The role.
        role: String => WORD_CHARS_MAX,
        /// Why they look.
        purpose: Option<Purpose>,
    }
}

data! {
    /// What decided.
    part DecidedBy {
        /// The rules, by their stable ids.
        rules: Vec<String>,
        /// The directives of the person, by their events.
        directives: Vec<EventId> => ENCOUNTER_ITEMS_MAX,
        /// The event that says that the glass was broken.
        glass: Option<EventId>,
        /// The version of the rules.
        policy: String => WORD_CHARS_MAX,
        /// The position up to which directives and rules were considered.
        position: u64 => POSITION_MAX,
    }
}

data! {
    /// A record, or part of it, was shown; durable before anything of it left.
    part RecordAccessed {
        /// Who looked.
        viewer: Viewer,
        /// By which way.
        through: Interface,
        /// The request, as the server's log names it.
        request: String => WORD_CHARS_MAX,
        /// The sections of which something was shown.
        sections: Vec<Section>,
        /// How many entries were shown.
        entries: u32,
        /// The sections of which something was withheld.
        withheld: Vec<Section>,
        /// Whether the viewer had the answer already and was told that it still holds.
        unchanged: bool,
        /// The position that the answer was true at.
        position: u64 => POSITION_MAX,
        /// What decided.
        decided: DecidedBy,
    }
}

data! {
    /// Somebody asked for a record and was refused.
    part AccessRefused {
        /// Who asked.
        viewer: Viewer,
        /// By which way.
        through: Interface,
        /// The request, as the server's log names it.
        request: String => WORD_CHARS_MAX,
        /// What decided.
        decided: DecidedBy,
    }
}

data! {
    /// Somebody broke the glass: opened, for a while, what an emergency needs.
    part GlassBroken {
        /// Who.
        viewer: Viewer,
        /// Why, in their words.
        reason: String => NARRATIVE_CHARS_MAX,
        /// Until when it opens anything.
        until: Occurred,
        /// The request, as the server's log names it.
        request: String => WORD_CHARS_MAX,
        /// The version of the rules.
        policy: String => WORD_CHARS_MAX,
    }
}

words! {
    /// What a reviewer found.
    pub enum ReviewOutcome {
        Justified = "justified",
        NotJustified = "not_justified",
    }
}

data! {
    /// Somebody reviewed a look, as every broken glass is.
    part AccessReviewed {
        /// Who reviewed.
        viewer: Viewer,
        /// The event that was reviewed.
        reviewed: EventId,
        /// What they found.
        outcome: ReviewOutcome,
        /// Why.
        note: Option<String> => NARRATIVE_CHARS_MAX,
    }
}
