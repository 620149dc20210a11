//! A client: one account in one region, asked politely, page by page.

use super::call::{Call, Parameters, Refusal};
use super::wire::Wire;
use crate::error::{Error, ErrorKind, Result};
use crate::exposure::facts::Refused;
use crate::limits::COLLECT_PAGES;
use aws_credential_types::Credentials;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Who asks: credentials, and better ones once those have expired.
pub trait Who: Send + Sync {
    /// The credentials to sign with; `fresh` when the last ones were refused as expired.
    fn credentials(&self, fresh: bool) -> Result<Credentials>;
}

/// How patiently AWS is asked.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The longest first wait before asking again; it doubles.
    pub first: Duration,
    /// The longest wait.
    pub most: Duration,
    /// How often what is throttled is asked.
    pub throttled: u32,
    /// How often what fails on the other side is asked.
    pub broken: u32,
    /// Whether services that ask for it are left time between two calls.
    pub spaced: bool,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            first: Duration::from_millis(400),
            most: Duration::from_secs(20),
            throttled: 10,
            broken: 3,
            spaced: true,
        }
    }
}

/// What all clients share: the wire, how many calls a service takes at once, and whether to stop.
pub struct Line<'a> {
    /// What carries the requests.
    pub wire: &'a dyn Wire,
    /// Another endpoint for every service.
    pub endpoint: Option<String>,
    /// How patiently.
    pub pace: Pace,
    busy: Mutex<BTreeMap<&'static str, u32>>,
    freed: Condvar,
    /// Calls that a service keeps failing at in a region; once more is enough for those.
    failing: Mutex<BTreeSet<(String, &'static str)>>,
    /// Set once credentials have run out for good: what is asked after that is not refused, it was
    /// never heard.
    pub expired: AtomicBool,
}

impl<'a> Line<'a> {
    /// A line over `wire`.
    pub fn new(wire: &'a dyn Wire, endpoint: Option<String>, pace: Pace) -> Line<'a> {
        Line {
            wire,
            endpoint,
            pace,
            busy: Mutex::default(),
            freed: Condvar::new(),
            failing: Mutex::default(),
            expired: AtomicBool::new(false),
        }
    }

    /// Wait for one of the places a service has for calls.
    fn enter(&self, call: &Call) -> Place<'_> {
        let service = call.service;
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let count = busy.entry(service.name).or_default();
            if *count < service.at_once {
                *count = count.saturating_add(1);
                return Place { line: self, service: service.name };
            }
            busy = self.freed.wait(busy).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A place taken, until dropped.
struct Place<'a> {
    line: &'a Line<'a>,
    service: &'static str,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut busy = self.line.busy.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = busy.get_mut(self.service) {
            *count = count.saturating_sub(1);
        }
        self.line.freed.notify_one();
    }
}

/// One account in one region.
pub struct Client<'a> {
    /// What all clients share.
    pub line: &'a Line<'a>,
    /// Who asks.
    pub who: &'a dyn Who,
    /// Where.
    pub region: String,
}

impl Client<'_> {
    /// What one call answers: the member it takes, or all of it.
    pub(super) fn one(&self, call: &Call, parameters: &Parameters) -> Result<Value, Refused> {
        let mut answer = self.ask(call, parameters)?;
        Ok(match call.takes {
            "" => answer,
            member => answer.get_mut(member).map(Value::take).unwrap_or_default(),
        })
    }

    /// The list a call answers, over all its pages: all of it, or nothing.
    pub(super) fn list(&self, call: &Call, parameters: &Parameters) -> Result<Vec<Value>, Refused> {
        let mut all = Vec::new();
        self.pages(call, parameters, |mut answer| {
            match answer.get_mut(call.takes).map(Value::take) {
                Some(Value::Array(items)) => all.extend(items),
                None | Some(Value::Null) => {}
                Some(other) => return Err(format!("{} is no list: {other}", call.takes)),
            }
            Ok(())
        })?;
        Ok(all)
    }

    /// Every page of a call.
    pub(super) fn pages(
        &self,
        call: &Call,
        parameters: &Parameters,
        mut page: impl FnMut(Value) -> Result<(), String>,
    ) -> Result<(), Refused> {
        let (asks, names) = call.service.pages;
        let mut parameters = parameters.clone();
        for _ in 0..COLLECT_PAGES {
            let answer = self.ask(call, &parameters)?;
            let names = [names, "nextToken"].into_iter().find_map(|name| answer.get(name));
            let token = names.and_then(Value::as_str).filter(|token| !token.is_empty());
            let token = token.map(str::to_owned);
            page(answer).map_err(|said| refused(call, said))?;
            let Some(token) = token else { return Ok(()) };
            // The SDK's paginators stop here without a word, and half a list would look whole.
            if parameters.get(asks).and_then(Value::as_str) == Some(&token) {
                return Err(refused(call, "the same page again and again".to_owned()));
            }
            parameters.insert(asks.to_owned(), json!(token));
        }
        Err(refused(call, format!("more than {COLLECT_PAGES} pages")))
    }

    /// One answer, asked for until it is one or there is no use in it.
    fn ask(&self, call: &Call, parameters: &Parameters) -> Result<Value, Refused> {
        let request = call.request(&self.region, self.line.endpoint.as_deref(), parameters);
        let pace = self.line.pace;
        let (mut throttled, mut broken, mut fresh) = (0_u32, 0_u32, false);
        let key = (self.region.clone(), call.action);
        let failing = |line: &Line<'_>| {
            let known = line.failing.lock().unwrap_or_else(PoisonError::into_inner);
            known.contains(&key)
        };
        loop {
            if self.line.expired.load(Ordering::Relaxed) {
                return Err(refused(call, "not asked: the credentials have expired".to_owned()));
            }
            let sent = {
                let _place = self.line.enter(call);
                let credentials = self.who.credentials(fresh);
                credentials.and_then(|credentials| self.line.wire.send(&request, &credentials))
            };
            if pace.spaced {
                std::thread::sleep(Duration::from_millis(call.service.spacing_ms));
            }
            let refusal = match sent {
                Ok(answer) => match call.read(&answer) {
                    Ok(value) => return Ok(value),
                    Err(refusal) => refusal,
                },
                Err(error) => Refusal::Broken(error.message()),
            };
            let (count, most) = match &refusal {
                Refusal::Throttled(_) => (&mut throttled, pace.throttled),
                Refusal::Broken(_) => {
                    let most = if failing(self.line) { 1 } else { pace.broken };
                    (&mut broken, most)
                }
                Refusal::Credentials(said) if said.contains("Expired") => {
                    if fresh {
                        self.line.expired.store(true, Ordering::Relaxed);
                        return Err(refused(call, said.clone()));
                    }
                    fresh = true;
                    continue;
                }
                Refusal::Credentials(said) | Refusal::Denied(said) => {
                    return Err(refused(call, said.clone()));
                }
            };
            *count = count.saturating_add(1);
            if most <= *count {
                if matches!(refusal, Refusal::Broken(_)) {
                    let mut known =
                        self.line.failing.lock().unwrap_or_else(PoisonError::into_inner);
                    known.insert(key);
                }
                return Err(refused(call, said(refusal)));
            }
            std::thread::sleep(backoff(pace, *count));
        }
    }
}

fn said(refusal: Refusal) -> String {
    match refusal {
        Refusal::Throttled(said)
        | Refusal::Broken(said)
        | Refusal::Credentials(said)
        | Refusal::Denied(said) => said,
    }
}

fn refused(call: &Call, error: String) -> Refused {
    // What AWS says may quote a whole request; its beginning tells the case.
    let error = error.chars().take(400).collect();
    Refused { missing: call.permission(), error }
}

/// Full jitter: anything from nothing to the doubled wait.
fn backoff(pace: Pace, count: u32) -> Duration {
    let doubled = 2_u32.checked_pow(count.saturating_sub(1)).unwrap_or(u32::MAX);
    let most = pace.first.saturating_mul(doubled).min(pace.most);
    let mut part = [0xff; 2];
    // Without randomness the wait is the whole.
    let _ = getrandom::fill(&mut part);
    let whole = u32::from(u16::MAX);
    most.checked_div(whole).unwrap_or_default() * u32::from(u16::from_le_bytes(part))
}

/// The error of a refusal that nothing can go on without.
pub(super) fn fatal(what: &'static str, refused: &Refused) -> Error {
    Error::new(ErrorKind::Denied, what).detail(format!("{}: {}", refused.missing, refused.error))
}
