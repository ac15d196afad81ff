//! The two threads of the writer: one decides and builds groups, one makes them durable.
//!
//! The sink travels with the group it writes, so that no lock guards it and groups stay in order.

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded, select};

use super::{Message, Stage, StopResult};
use crate::error::WriteFailure;
use crate::group::{ClosedGroup, Group, Outcome};
use crate::log::Log;
use crate::metrics::add;
use crate::shared::{LogStatus, Shared};
use crate::sink::Sink;

/// A group on its way to the disk, with the sink that writes it.
struct Work {
    sink: Box<Sink>,
    group: ClosedGroup,
}

/// A group that came back.
struct Done {
    sink: Box<Sink>,
    group: ClosedGroup,
    outcome: Outcome,
}

/// Ends the acceptance of requests when the thread it lives on panics.
struct PanicGuard(Arc<Shared>);

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop(LogStatus::Stopped(WriteFailure::Panicked));
        }
    }
}

/// What the deciding thread owns.
pub(super) struct Pipeline {
    log: Log,
    to_disk: Sender<Work>,
    from_disk: Receiver<Done>,
    in_flight: bool,
    /// Set by the first failure; nothing is written after it.
    failure: Option<WriteFailure>,
    requests_in_group: u64,
    _flusher: JoinHandle<()>,
}

enum Next<R> {
    Request(R),
    Stop,
    Nothing,
}

impl Pipeline {
    pub(super) fn start(log: Log) -> std::io::Result<Self> {
        let (to_disk, work) = bounded::<Work>(1);
        let (done, from_disk) = bounded::<Done>(1);
        let guard = Arc::clone(log.shared());
        let flusher = std::thread::Builder::new()
            .name("log-sync".into())
            .spawn(move || {
                let _guard = PanicGuard(guard);
                for Work {
                    mut sink,
                    mut group,
                } in work
                {
                    let outcome = sink.make_durable(&mut group);
                    if done
                        .send(Done {
                            sink,
                            group,
                            outcome,
                        })
                        .is_err()
                    {
                        break;
                    }
                }
            })?;
        Ok(Self {
            log,
            to_disk,
            from_disk,
            in_flight: false,
            failure: None,
            requests_in_group: 0,
            _flusher: flusher,
        })
    }

    /// Decides until told to stop, then stops the log in order.
    pub(super) fn run<S: Stage>(
        mut self,
        mut stage: S,
        receiver: &Receiver<Message<S::Request>>,
    ) -> (S, StopResult) {
        let _guard = PanicGuard(Arc::clone(self.log.shared()));
        while let Some(request) = self.first(&mut stage, receiver) {
            if self.serve(&mut stage, receiver, request) {
                break;
            }
        }
        self.land(&mut stage);
        let failure = self.failure.take().or_else(|| self.log.shared().refusal());
        let result = match failure {
            Some(failure) => Err(failure),
            None => self.log.close_in_order(),
        };
        let because = result
            .as_ref()
            .err()
            .cloned()
            .unwrap_or(WriteFailure::Stopped);
        for message in receiver.try_iter() {
            refuse(&mut stage, message, &because);
        }
        (stage, result)
    }

    /// Waits for the first request of a group; `None` means stop.
    fn first<S: Stage>(
        &mut self,
        stage: &mut S,
        receiver: &Receiver<Message<S::Request>>,
    ) -> Option<S::Request> {
        loop {
            let message = if self.in_flight {
                select! {
                    recv(receiver) -> message => message,
                    recv(self.from_disk) -> done => {
                        self.landed(stage, done.ok());
                        continue;
                    }
                }
            } else {
                receiver.recv()
            };
            match message {
                Ok(Message::Request(request)) => return Some(request),
                Ok(Message::Stop) | Err(_) => return None,
            }
        }
    }

    /// Builds one group from a first request and what else waits, and sends it to the disk; true means stop.
    fn serve<S: Stage>(
        &mut self,
        stage: &mut S,
        receiver: &Receiver<Message<S::Request>>,
        request: S::Request,
    ) -> bool {
        if self.failure.is_none() && self.log.must_roll() {
            self.land(stage);
        }
        if self.failure.is_none() {
            self.failure = self.log.begin_group().err();
        }
        if let Some(because) = self.refusal() {
            stage.refuse(request, &because);
            return false;
        }
        self.requests_in_group = 0;
        self.decide(stage, request);
        let mut stop = false;
        while !self.log.builder.is_full() {
            match self.next(stage, receiver) {
                Next::Request(request) => self.decide(stage, request),
                Next::Stop => {
                    stop = true;
                    break;
                }
                Next::Nothing => break,
            }
        }
        self.send(stage, receiver.is_empty());
        stop
    }

    fn refusal(&mut self) -> Option<WriteFailure> {
        if self.failure.is_none() {
            self.failure = self.log.shared().refusal();
        }
        self.failure.clone()
    }

    fn decide<S: Stage>(&mut self, stage: &mut S, request: S::Request) {
        self.requests_in_group += 1;
        self.log.builder.begin_request();
        stage.decide(request, &mut Group::new(&mut self.log.builder));
    }

    /// Takes another request for the open group: whatever waits, or comes while a group before is synced.
    fn next<S: Stage>(
        &mut self,
        stage: &mut S,
        receiver: &Receiver<Message<S::Request>>,
    ) -> Next<S::Request> {
        loop {
            match receiver.try_recv() {
                Ok(Message::Request(request)) => return Next::Request(request),
                Ok(Message::Stop) | Err(TryRecvError::Disconnected) => return Next::Stop,
                Err(TryRecvError::Empty) if !self.in_flight => return Next::Nothing,
                Err(TryRecvError::Empty) => {}
            }
            select! {
                recv(receiver) -> message => return match message {
                    Ok(Message::Request(request)) => Next::Request(request),
                    Ok(Message::Stop) | Err(_) => Next::Stop,
                },
                recv(self.from_disk) -> done => self.landed(stage, done.ok()),
            }
        }
    }

    /// Closes the open group and makes it durable: here when it is a lone request, else on the other thread.
    fn send<S: Stage>(&mut self, stage: &mut S, queue_empty: bool) {
        let mut group = self.log.close_group();
        group.before_sync = stage.before_sync();
        add(&self.log.shared().counters.requests, self.requests_in_group);
        self.land(stage);
        let alone = queue_empty && self.requests_in_group <= 1;
        let Some(mut sink) = self.log.sink.take() else {
            self.fail(&mut group, WriteFailure::Panicked);
            return;
        };
        if self.failure.is_some() || alone || group.writes_nothing() {
            let outcome = match self.failure.clone() {
                Some(failure) => {
                    sink.give_up(&mut group, &failure);
                    Err(failure)
                }
                None => sink.make_durable(&mut group),
            };
            self.landed(
                stage,
                Some(Done {
                    sink,
                    group,
                    outcome,
                }),
            );
            return;
        }
        match self.to_disk.send(Work { sink, group }) {
            Ok(()) => self.in_flight = true,
            Err(unsent) => self.fail(&mut { unsent.0.group }, WriteFailure::Panicked),
        }
    }

    /// Waits for the group in flight, if any.
    fn land<S: Stage>(&mut self, stage: &mut S) {
        if self.in_flight {
            let done = self.from_disk.recv().ok();
            self.landed(stage, done);
        }
    }

    fn landed<S: Stage>(&mut self, stage: &mut S, done: Option<Done>) {
        self.in_flight = false;
        let Some(Done {
            sink,
            group,
            outcome,
        }) = done
        else {
            self.failure.get_or_insert(WriteFailure::Panicked);
            self.log
                .shared()
                .stop(LogStatus::Stopped(WriteFailure::Panicked));
            return;
        };
        self.log.sink = Some(sink);
        match outcome {
            Ok(durable) => {
                self.log.builder.retire(group);
                stage.committed(durable);
            }
            Err(failure) => {
                self.failure.get_or_insert(failure);
            }
        }
    }

    fn fail(&mut self, group: &mut ClosedGroup, failure: WriteFailure) {
        let outcome = Err(failure.clone());
        crate::sink::complete(&mut group.completions, &outcome);
        self.failure.get_or_insert(failure);
    }
}

fn refuse<S: Stage>(stage: &mut S, message: Message<S::Request>, because: &WriteFailure) {
    if let Message::Request(request) = message {
        stage.refuse(request, because);
    }
}
