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
                None | Some(Value::Null) => {
                    // An empty list is left out; one that goes by another name must not look empty.
                    let other = answer.as_object().into_iter().flatten();
                    if let Some((name, _)) = other.into_iter().find(|(_, value)| value.is_array()) {
                        return Err(format!("the answer has {name} and no {}", call.takes));
                    }
                }
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
            page(answer).map_err(|said| refused(call, &said))?;
            let Some(token) = token else { return Ok(()) };
            // The SDK's paginators stop here without a word, and half a list would look whole.
            if parameters.get(asks).and_then(Value::as_str) == Some(&token) {
                return Err(refused(call, "the same page again and again"));
            }
            parameters.insert(asks.to_owned(), json!(token));
        }
        Err(refused(call, &format!("more than {COLLECT_PAGES} pages")))
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
                return Err(refused(call, "not asked: the credentials have expired"));
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
                        return Err(refused(call, said));
                    }
                    fresh = true;
                    continue;
                }
                Refusal::Credentials(said) | Refusal::Denied(said) => {
                    return Err(refused(call, said));
                }
            };
            *count = count.saturating_add(1);
            if most <= *count {
                if matches!(refusal, Refusal::Broken(_)) {
                    let mut known =
                        self.line.failing.lock().unwrap_or_else(PoisonError::into_inner);
                    known.insert(key);
                }
                return Err(refused(call, &said(refusal)));
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

fn refused(call: &Call, error: &str) -> Refused {
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

#[cfg(test)]
mod tests {
    use super::super::gather::{Plan, parameters, region};
    use super::super::wire::{Answer, Request};
    use super::super::{account, calls, refuse_leaked};
    use super::*;
    use crate::exposure::facts::Asked;

    type Answering = Box<dyn Fn(usize, &Request) -> (u16, String) + Send + Sync>;

    /// A wire that answers from a function, and keeps what was sent and who signed.
    struct Fake {
        answer: Answering,
        seen: Mutex<Vec<(Request, String)>>,
    }

    impl Fake {
        fn new(answer: impl Fn(usize, &Request) -> (u16, String) + Send + Sync + 'static) -> Fake {
            Fake { answer: Box::new(answer), seen: Mutex::default() }
        }
    }

    impl Wire for Fake {
        fn send(&self, request: &Request, credentials: &Credentials) -> Result<Answer> {
            let mut seen = self.seen.lock().unwrap();
            let (status, body) = (self.answer)(seen.len(), request);
            seen.push((request.clone(), credentials.access_key_id().to_owned()));
            Ok(Answer { status, error_type: None, body: body.into_bytes() })
        }
    }

    /// A caller who counts how often fresh credentials were asked for.
    #[derive(Default)]
    struct Auditor(Mutex<u32>);

    impl Who for Auditor {
        fn credentials(&self, fresh: bool) -> Result<Credentials> {
            *self.0.lock().unwrap() += u32::from(fresh);
            Ok(Credentials::new("AUDITOR", "own", None, None, "test"))
        }
    }

    const HASTE: Pace = Pace {
        first: Duration::ZERO,
        most: Duration::ZERO,
        throttled: 5,
        broken: 2,
        spaced: false,
    };

    fn volumes(token: &str, id: &str) -> String {
        format!(
            "<DescribeLaunchTemplatesResponse><launchTemplates><item><launchTemplateId>{id}\
             </launchTemplateId></item></launchTemplates><nextToken>{token}</nextToken>\
             </DescribeLaunchTemplatesResponse>"
        )
    }

    fn listed(fake: &Fake) -> Result<Vec<Value>, Refused> {
        let line = Line::new(fake, None, HASTE);
        let who = Auditor::default();
        let client = Client { line: &line, who: &who, region: "us-east-1".to_owned() };
        client.list(&calls::TEMPLATES, &Parameters::new())
    }

    #[test]
    fn all_pages_are_one_list() {
        let fake = Fake::new(|_, request| {
            let second = request.body.contains("NextToken=t");
            (200, if second { volumes("", "b") } else { volumes("t", "a") })
        });
        let found = listed(&fake).unwrap();
        assert_eq!(found.iter().map(|it| &it["LaunchTemplateId"]).collect::<Vec<_>>(), ["a", "b"]);
    }

    /// The paginators of the SDK end here as if the list were whole.
    #[test]
    fn the_same_page_again_is_no_list() {
        let refused = listed(&Fake::new(|_, _| (200, volumes("t", "a")))).unwrap_err();
        assert_eq!(refused.missing, "ec2:DescribeLaunchTemplates");
        assert!(refused.error.contains("same page"), "{}", refused.error);
    }

    #[test]
    fn what_is_throttled_is_asked_again_and_what_is_denied_is_not() {
        let code = |code| format!("<R><Errors><Error><Code>{code}</Code></Error></Errors></R>");
        let fake = Fake::new(move |count, _| match count {
            0..3 => (503, code("RequestLimitExceeded")),
            _ => (200, volumes("", "a")),
        });
        assert_eq!(listed(&fake).unwrap().len(), 1);
        assert_eq!(fake.seen.lock().unwrap().len(), 4);
        let fake = Fake::new(move |_, _| (503, code("RequestLimitExceeded")));
        assert!(listed(&fake).is_err());
        assert_eq!(fake.seen.lock().unwrap().len(), 5, "it gives up");
        let fake = Fake::new(move |_, _| (403, code("UnauthorizedOperation")));
        let refused = listed(&fake).unwrap_err();
        assert_eq!(refused.error, "UnauthorizedOperation");
        assert_eq!(fake.seen.lock().unwrap().len(), 1);
    }

    #[test]
    fn expired_credentials_are_renewed_once_and_then_end_the_run() {
        let stale = "<E><Error><Code>ExpiredToken</Code></Error></E>".to_owned();
        let fake = Fake::new(move |_, _| (403, stale.clone()));
        let line = Line::new(&fake, None, HASTE);
        let who = Auditor::default();
        let client = Client { line: &line, who: &who, region: "us-east-1".to_owned() };
        for _ in 0..2 {
            assert!(client.list(&calls::TEMPLATES, &Parameters::new()).is_err());
        }
        assert!(line.expired.load(Ordering::Relaxed));
        assert_eq!(*who.0.lock().unwrap(), 1);
        assert_eq!(fake.seen.lock().unwrap().len(), 2, "nothing is asked after that");
    }

    /// Nothing turns green that was never answered.
    #[test]
    fn a_region_that_answers_nothing_is_unknown_throughout() {
        let fake = Fake::new(|_, _| (500, "<!doctype html><title>500</title>".to_owned()));
        let line = Line::new(&fake, None, HASTE);
        let who = Auditor::default();
        let client = Client { line: &line, who: &who, region: "us-east-1".to_owned() };
        let found = region(&client, &Plan::default());
        let json = serde_json::to_value(&found).unwrap();
        for (name, value) in json.as_object().unwrap() {
            let empty = matches!(name.as_str(), "Region" | "Keys");
            assert!(empty || value.get("Missing").is_some(), "{name}: {value}");
        }
        assert!(matches!(found.images, Asked::Refused(_)));
        assert!(matches!(found.events, Asked::Refused(_)));
    }

    /// A leaked key is asked about and never signs; nothing of it but its id is sent.
    #[test]
    fn a_leaked_key_is_never_used() {
        let id = ["AK", "IA", "QZ7QZ7QZ7QZ7", "ABCD"].concat();
        let used = "<GetAccessKeyLastUsedResponse><GetAccessKeyLastUsedResult><UserName>ci\
                    </UserName></GetAccessKeyLastUsedResult></GetAccessKeyLastUsedResponse>";
        let caller = "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>111122223333\
                      </Account></GetCallerIdentityResult></GetCallerIdentityResponse>";
        let fake = Fake::new(move |_, request| {
            let is = |action: &str| request.body.contains(action);
            match () {
                () if is("Action=GetCallerIdentity") => (200, caller.to_owned()),
                () if is("Action=GetAccessKeyLastUsed") => (200, used.to_owned()),
                () if request.service == "cloudtrail" => (200, r#"{"Events": []}"#.to_owned()),
                () => (500, String::new()),
            }
        });
        let line = Line::new(&fake, None, HASTE);
        let who = Auditor::default();
        let client = Client { line: &line, who: &who, region: "us-east-1".to_owned() };
        let plan = Plan { leaked: [id.clone()].into(), ..Plan::default() };
        let found = account(&client, &plan).unwrap();
        assert_eq!(found.iam.access_keys.listed()[0].user_name.as_deref(), Some("ci"));
        region(&client, &plan);
        let seen = fake.seen.lock().unwrap();
        assert!(seen.iter().all(|(_, signer)| signer == "AUDITOR"));
        let about: Vec<&Request> =
            seen.iter().map(|(request, _)| request).filter(|it| it.body.contains(&id)).collect();
        assert!(about.iter().any(|it| it.service == "iam"));
        for request in about {
            let asks = ["GetAccessKeyLastUsed", "LookupAttributes"];
            assert!(asks.iter().any(|ask| request.body.contains(ask)), "{}", request.body);
            assert!(!request.url.contains(&id));
        }
        let own = Credentials::new(id, "secret", None, None, "test");
        let error = refuse_leaked(&own, &plan.leaked).unwrap_err();
        assert!(!error.message().contains("secret"));
        assert!(refuse_leaked(&who.credentials(false).unwrap(), &plan.leaked).is_ok());
    }

    #[test]
    fn a_wait_is_between_nothing_and_the_most() {
        let pace = Pace::default();
        for count in 1..40 {
            assert!(backoff(pace, count) <= pace.most);
        }
        assert_eq!(parameters(serde_json::json!(5)), Parameters::new());
    }
}
