//! The load: callers who send until the server is gone, and tell the witness of every acknowledgement.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::caller::Caller;
use super::story::{Request, Story};
use super::witness::Witness;
use sokhoe_disk::testing::Random;

/// Who calls.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    pub(crate) hospital: String,
    pub(crate) admin: String,
}

/// One caller's work at a server, until it is gone.
pub(crate) struct Load<'a> {
    pub(crate) addr: SocketAddr,
    pub(crate) tokens: &'a Tokens,
    pub(crate) story: &'a Mutex<Story>,
    pub(crate) witness: &'a Witness,
}

impl Load<'_> {
    pub(crate) fn run(&self, mut random: Random) {
        let Some(mut caller) = Caller::connect(self.addr, &self.tokens.hospital) else {
            return;
        };
        while self.one(&mut caller, &mut random).is_some() {}
    }

    /// Makes one request; `None` when the server is gone.
    fn one(&self, caller: &mut Caller, random: &mut Random) -> Option<()> {
        match random.below(12) {
            0 => {
                let answer = caller.get("/checkpoint")?;
                if answer.status == 200 {
                    self.witness.saw_checkpoint(&answer.body);
                }
                Some(())
            }
            1 => {
                // Another token, so another connection. One that is busy with another commitment says so.
                let mut admin = Caller::connect(self.addr, &self.tokens.admin)?;
                let answer = admin.post("/v1/admin/heads", ("", ""), &mut |_| {})?;
                assert!(matches!(answer.status, 200 | 503), "{answer:?}");
                Some(())
            }
            2 => {
                let again = self.story().draw_again(random);
                again.map_or(Some(()), |request| self.send(caller, &request))
            }
            _ => {
                let request = self.story().draw(random);
                self.send(caller, &request)
            }
        }
    }

    fn send(&self, caller: &mut Caller, request: &Request) -> Option<()> {
        let single = request.path == "/v1/events";
        let body = (request.media_type, request.body.as_str());
        let whole = caller.post(request.path, body, &mut |line| {
            if !single {
                self.take(request, line, None);
            }
        })?;
        if single {
            self.take(request, &whole.body, Some(u64::from(whole.status)));
        }
        Some(())
    }

    fn take(&self, request: &Request, line: &str, status: Option<u64>) {
        let answer: Value = serde_json::from_str(line).expect("an answer in JSON");
        let status = status.or_else(|| answer["status"].as_u64());
        let taken = self
            .story()
            .take(request, &answer, status.expect("a status"));
        if let Some((id, place)) = taken {
            self.witness.saw(&id, &place);
        }
    }

    fn story(&self) -> std::sync::MutexGuard<'_, Story> {
        self.story.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
