//! Merges and unmerges: who stands for whom, at which positions.

use std::collections::HashMap;

use sokhoe_chain::EventKey;

use crate::people::PersonNumber;

/// One merge: `retired` is read as part of `survivor` at positions in `[from, until)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Alias {
    pub(crate) retired: PersonNumber,
    pub(crate) survivor: PersonNumber,
    pub(crate) merge: EventKey,
    pub(crate) from: u64,
    pub(crate) until: Option<u64>,
}

impl Alias {
    /// Whether the merge holds at a position; `None` means now.
    fn holds(&self, at: Option<u64>) -> bool {
        match at {
            None => self.until.is_none(),
            Some(at) => self.from <= at && self.until.is_none_or(|until| at < until),
        }
    }
}

/// All merges in log order, found by either side and by the merge's event id.
#[derive(Debug, Default, Clone)]
pub(crate) struct Aliases {
    list: Vec<Alias>,
    by_retired: HashMap<PersonNumber, Vec<usize>>,
    by_survivor: HashMap<PersonNumber, Vec<usize>>,
    by_merge: HashMap<EventKey, usize>,
}

impl Aliases {
    pub(crate) fn list(&self) -> &[Alias] {
        &self.list
    }

    /// Follows merges upwards. A retired person cannot be merged again, so there are no cycles.
    pub(crate) fn survivor(&self, mut person: PersonNumber, at: Option<u64>) -> PersonNumber {
        while let Some(alias) = self.of(&self.by_retired, person).find(|a| a.holds(at)) {
            person = alias.survivor;
        }
        person
    }

    /// Everyone under a survivor, itself first, then in order of merging.
    pub(crate) fn members(&self, survivor: PersonNumber, at: Option<u64>) -> Vec<PersonNumber> {
        let mut found = vec![survivor];
        let mut next = 0;
        while let Some(person) = found.get(next).copied() {
            next += 1;
            let under = self.of(&self.by_survivor, person).filter(|a| a.holds(at));
            found.extend(under.map(|a| a.retired));
        }
        found
    }

    pub(crate) fn by_merge(&self, merge: EventKey) -> Option<&Alias> {
        self.by_merge
            .get(&merge)
            .and_then(|index| self.list.get(*index))
    }

    pub(crate) fn begin(&mut self, alias: Alias) {
        let index = self.list.len();
        self.by_retired
            .entry(alias.retired)
            .or_default()
            .push(index);
        self.by_survivor
            .entry(alias.survivor)
            .or_default()
            .push(index);
        self.by_merge.insert(alias.merge, index);
        self.list.push(alias);
    }

    pub(crate) fn end(&mut self, merge: EventKey, until: u64) {
        let Some(index) = self.by_merge.get(&merge) else {
            return;
        };
        if let Some(alias) = self.list.get_mut(*index)
            && alias.until.is_none()
        {
            alias.until = Some(until);
        }
    }

    /// Takes the last merge back, as if it had never been.
    pub(crate) fn take_back(&mut self) {
        let Some(alias) = self.list.pop() else { return };
        for (index, person) in [
            (&mut self.by_retired, alias.retired),
            (&mut self.by_survivor, alias.survivor),
        ] {
            if let Some(entries) = index.get_mut(&person) {
                entries.pop();
            }
        }
        self.by_merge.remove(&alias.merge);
    }

    /// Takes an unmerge back.
    pub(crate) fn reopen(&mut self, merge: EventKey) {
        let index = self.by_merge.get(&merge).copied();
        if let Some(alias) = index.and_then(|index| self.list.get_mut(index)) {
            alias.until = None;
        }
    }

    fn of<'a>(
        &'a self,
        index: &'a HashMap<PersonNumber, Vec<usize>>,
        person: PersonNumber,
    ) -> impl Iterator<Item = &'a Alias> {
        index
            .get(&person)
            .into_iter()
            .flatten()
            .filter_map(|at| self.list.get(*at))
    }
}
