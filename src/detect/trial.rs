//! A trial of signatures on their own examples.

use super::example::render;
use super::signature::{Example, Expect, Signature};
use super::{Engine, Scratch, Window};
use crate::finding::Match;

/// Texts made of each example: random fields come out differently each time.
const ROUNDS: u64 = 4;

/// An example that does not come out as it should.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The signature.
    pub id: &'static str,
    /// The file it stands in.
    pub file: String,
    /// Which of its examples, counted from one.
    pub number: usize,
    /// Its template.
    pub template: String,
    /// The text it made; empty when the template makes none.
    pub text: String,
    /// What is wrong.
    pub what: String,
}

/// Try every example of every signature; returns how many there were, and those that fail.
pub fn run(engine: &Engine) -> (usize, Vec<Failure>) {
    let mut failures = Vec::new();
    let mut tried = 0;
    let mut scratch = Scratch::default();
    for signature in engine.signatures() {
        for (number, example) in (1..).zip(&signature.examples) {
            tried += 1;
            let failed = attempt(engine, &mut scratch, signature, (number, example));
            failures.extend(failed);
        }
    }
    (tried, failures)
}

fn attempt(
    engine: &Engine,
    scratch: &mut Scratch,
    signature: &Signature,
    (number, example): (usize, &Example),
) -> Option<Failure> {
    let id = signature.rule.id;
    let failure = |text: String, what: String| Failure {
        id,
        file: signature.about.file.clone(),
        number,
        template: example.template.clone(),
        text,
        what,
    };
    for round in 0..ROUNDS {
        let Some(text) = render(&example.template, seed(id, number, round)) else {
            return Some(failure(String::new(), "the template is wrong".to_owned()));
        };
        let window = Window { bytes: text.as_bytes(), owned: 0..text.len(), path: None };
        let mut matches: Vec<Match> = Vec::new();
        engine.scan(&window, scratch, &mut |matched| {
            if matched.rule.id == id {
                matches.push(matched);
            }
        });
        if let Some(what) = wrong(example, &matches) {
            return Some(failure(text, what));
        }
    }
    None
}

/// The random numbers an example is made with, the same on every machine.
fn seed(id: &str, number: usize, round: u64) -> u64 {
    let number = u64::try_from(number).unwrap_or(0);
    let start = number.wrapping_add(round.wrapping_mul(1 << 32));
    id.bytes().fold(start, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)))
}

fn wrong(example: &Example, matches: &[Match]) -> Option<String> {
    let came = match matches {
        [] => Expect::Miss,
        matches if matches.iter().any(|matched| matched.harmless.is_none()) => Expect::Hit,
        _ => Expect::Noted,
    };
    if came != example.expect {
        return Some(format!("should be a {}, is a {}", name(example.expect), name(came)));
    }
    for (fact, wanted) in &example.facts {
        let read = matches.iter().find_map(|matched| matched.facts.get(fact.as_str()));
        if read != Some(wanted) {
            let read = read.map_or("nothing", String::as_str);
            return Some(format!("the fact {fact} should be {wanted}, is {read}"));
        }
    }
    None
}

fn name(expect: Expect) -> &'static str {
    match expect {
        Expect::Hit => "hit",
        Expect::Noted => "hit that is noted",
        Expect::Miss => "miss",
    }
}
