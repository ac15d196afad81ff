//! How far a long piece of work is, told to whoever wants to know.

use std::fmt;
use std::sync::{Arc, Mutex};

use crate::sync::lock;

/// How far a piece of work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is being done, as a word or two for people.
    pub doing: &'static str,
    /// How much of it is done.
    pub done: u64,
    /// How much there is.
    pub total: u64,
    /// What is counted.
    pub unit: &'static str,
}

/// Is told of steps, often; it must return at once. Cheap to clone; the default tells nobody.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<dyn Fn(Step) + Send + Sync>>);

impl Progress {
    /// Tells a function of every step.
    #[must_use]
    pub fn new(told: impl Fn(Step) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(told)))
    }

    /// Tells of a step.
    pub fn say(&self, step: Step) {
        if let Some(told) = &self.0 {
            told(step);
        }
    }
}

/// Remembers the last step that was told, for whoever asks how far work is. Cheap to clone; clones remember together.
#[derive(Clone, Debug, Default)]
pub struct LastStep(Arc<Mutex<Option<Step>>>);

impl LastStep {
    /// Remembers a step.
    pub fn set(&self, step: Step) {
        *lock(&self.0) = Some(step);
    }

    /// Returns the step that was told last; `None` before the first.
    #[must_use]
    pub fn get(&self) -> Option<Step> {
        *lock(&self.0)
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}
