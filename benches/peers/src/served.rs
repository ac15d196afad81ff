//! A peer that is a server: its process, and a client for each thread.

use std::sync::atomic::{AtomicU64, Ordering};

use sokhoe_benches::append::{Client, PAYLOAD_BYTES, Store};
use sokhoe_benches::random::Random;

use crate::process::Process;

/// A connection, and how the two kinds of work are asked over it.
pub(crate) trait Calls {
    /// Appends one event with a random payload for each of these people, all or none.
    fn append(&mut self, people: &[usize], random: &mut Random) -> anyhow::Result<()>;

    /// Reads all events of a person and returns how many there are.
    fn read(&mut self, person: usize) -> anyhow::Result<usize>;
}

/// A running server whose clients are made by a function of its port.
pub(crate) struct Served<C> {
    pub(crate) name: &'static str,
    pub(crate) process: Process,
    pub(crate) port: u16,
    pub(crate) people: usize,
    pub(crate) connect: fn(u16) -> anyhow::Result<C>,
    pub(crate) payload_bytes: AtomicU64,
}

impl<C: Calls> Store for Served<C> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn people(&self) -> usize {
        self.people
    }

    fn client(&self, seed: u64) -> anyhow::Result<Box<dyn Client + '_>> {
        Ok(Box::new(Caller {
            served: self,
            calls: (self.connect)(self.port)?,
            random: Random::from_seed(seed),
        }))
    }

    /// Of payloads alone: a server's log is its own affair.
    fn appended(&self) -> (f64, Option<f64>) {
        (self.payload_bytes.load(Ordering::Relaxed) as f64, None)
    }

    fn cpu_s(&self) -> f64 {
        self.process.cpu_s()
    }
}

struct Caller<'a, C> {
    served: &'a Served<C>,
    calls: C,
    random: Random,
}

impl<C: Calls> Client for Caller<'_, C> {
    fn append(&mut self, people: &[usize]) -> anyhow::Result<()> {
        self.calls.append(people, &mut self.random)?;
        let bytes = u64::try_from(people.len() * PAYLOAD_BYTES)?;
        (self.served.payload_bytes).fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    fn read(&mut self, person: usize) -> anyhow::Result<usize> {
        self.calls.read(person)
    }
}

/// The tag by which a person's events are found.
pub(crate) fn tag(person: usize) -> String {
    format!("person:{person:032x}")
}
