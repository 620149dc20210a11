//! The fields of one object of a rule file, with a memory of which were read: what nobody asked
//! for is named.

use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// The fields of one object.
pub(super) struct Fields<'a> {
    map: &'a Map<String, Value>,
    read: RefCell<BTreeSet<&'a str>>,
}

impl<'a> Fields<'a> {
    /// The fields of `value`, which is an object.
    pub(super) fn of(value: &'a Value) -> Option<Fields<'a>> {
        Some(Fields { map: value.as_object()?, read: RefCell::default() })
    }

    /// The value under `name`; null is nothing.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        let (name, value) = self.map.get_key_value(name)?;
        self.read.borrow_mut().insert(name);
        Some(value).filter(|value| !value.is_null())
    }

    /// A text. Numbers and truth values that somebody left unquoted are texts as well.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        as_text(self.get(name)?)
    }

    /// The texts of a list, or of a single text.
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        match self.get(name) {
            Some(Value::Array(items)) => items.iter().filter_map(as_text).collect(),
            Some(value) => as_text(value).into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// A number.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        self.get(name)?.as_f64().filter(|number| number.is_finite())
    }

    /// A number of things.
    pub(super) fn count(&self, name: &str) -> Option<usize> {
        usize::try_from(self.get(name)?.as_u64()?).ok()
    }

    /// Whether it says so.
    pub(super) fn is(&self, name: &str, wanted: bool) -> bool {
        self.get(name).and_then(Value::as_bool) == Some(wanted)
    }

    /// The objects of a list, or a single object.
    pub(super) fn objects(&self, name: &str) -> Vec<&'a Value> {
        match self.get(name) {
            Some(Value::Array(items)) => items.iter().collect(),
            Some(value) => vec![value],
            None => Vec::new(),
        }
    }

    /// Whether there is such a field.
    pub(super) fn has(&self, name: &str) -> bool {
        self.map.get(name).is_some_and(|value| !value.is_null())
    }

    /// Which of `names` say something; all of them count as read.
    pub(super) fn present(&self, names: &[&'static str]) -> Vec<&'static str> {
        let says = |value: &Value| match value {
            Value::Null | Value::Bool(false) => false,
            Value::String(text) => !text.is_empty(),
            Value::Array(items) => !items.is_empty(),
            Value::Object(map) => !map.is_empty(),
            _ => true,
        };
        names.iter().copied().filter(|name| self.get(name).is_some_and(says)).collect()
    }

    /// The fields nobody asked for.
    pub(super) fn rest(&self) -> Vec<&'a str> {
        let read = self.read.borrow();
        self.map.keys().map(String::as_str).filter(|name| !read.contains(name)).collect()
    }
}

fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}
