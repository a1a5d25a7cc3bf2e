//! Faults of the server, by the number of the request.

use std::sync::Mutex;
use std::time::Duration;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Answered with this status and code, and not done.
    Refuse(u16, &'static str),
    /// Not done, and the connection is cut.
    Reset,
    /// Not done and never answered.
    Stall,
    /// Done and answered after a while, whether the client waits or not.
    Late(Duration),
    /// Done, but the connection is cut before the answer.
    LoseAnswer,
}

/// Faults of requests to come.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Requests since the plan was made.
    requests: u64,
    /// First request, number of requests and fault.
    plan: Option<(u64, u64, Fault)>,
    /// What the faults have met.
    met: Vec<String>,
}

impl Faults {
    /// From now on, the requests `first..first + length` meet a fault; the next one is number 0.
    pub(crate) fn plan(&self, first: u64, length: u64, fault: Fault) {
        *self.state.lock().unwrap() =
            State { requests: 0, plan: Some((first, length, fault)), met: Vec::new() };
    }

    /// No more faults; the requests that met one, and the number of all since the plan was made.
    pub(crate) fn clear(&self) -> (Vec<String>, u64) {
        let state = std::mem::take(&mut *self.state.lock().unwrap());
        (state.met, state.requests)
    }

    /// The fault of a request that has come.
    pub(super) fn next(&self, request: &str) -> Option<Fault> {
        let mut state = self.state.lock().unwrap();
        let number = state.requests;
        state.requests += 1;
        let (first, length, fault) = state.plan?;
        if !(first..first.saturating_add(length)).contains(&number) {
            return None;
        }
        state.met.push(request.to_owned());
        Some(fault)
    }
}
