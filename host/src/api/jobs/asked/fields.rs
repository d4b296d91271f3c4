//! Values of a body, and what is wrong with them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use crate::api::{Invalid, Step, Wrong};

pub struct Fields<'a> {
    body: &'a Map<String, Value>,
    wrong: Vec<Wrong>,
}

impl<'a> Fields<'a> {
    pub fn new(body: &'a Map<String, Value>) -> Self {
        Self {
            body,
            wrong: Vec::new(),
        }
    }

    /// What was read, where nothing is wrong.
    pub fn end<T>(self, read: T) -> Result<T, Invalid> {
        match self.wrong.is_empty() {
            true => Ok(read),
            false => Err(Invalid { detail: self.wrong }),
        }
    }

    pub fn place(key: &str) -> Vec<Step> {
        vec!["body".into(), key.into()]
    }

    /// Notes what is wrong.
    pub fn wrong<T>(&mut self, invalid: Wrong) -> Option<T> {
        self.wrong.push(invalid);
        None
    }

    /// A key that has to be there.
    pub fn required<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&mut Self, &str, &Value) -> Option<T>,
    ) -> Option<T> {
        let Some(value) = self.body.get(key) else {
            let input = Value::Object(self.body.clone());
            return self.wrong(wrong("missing", Self::place(key), "Field required", input));
        };
        read(self, key, value)
    }

    pub fn text_or_none(&mut self, key: &str, value: &Value) -> Option<Option<String>> {
        match value {
            Value::Null => Some(None),
            value => self.text(Self::place(key), value).map(Some),
        }
    }

    pub fn texts(&mut self, key: &str, value: &Value) -> Option<Vec<String>> {
        let Value::Array(values) = value else {
            let msg = "Input should be a valid list";
            return self.wrong(wrong("list_type", Self::place(key), msg, value.clone()));
        };
        let texts = values.iter().enumerate().map(|(index, value)| {
            let mut place = Self::place(key);
            place.push(index.into());
            self.text(place, value)
        });
        // All of them are looked at.
        let texts: Vec<Option<String>> = texts.collect();
        texts.into_iter().collect()
    }

    pub fn flag(&mut self, key: &str) -> bool {
        match self.body.get(key) {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(value) => {
                let msg = "Input should be a valid boolean";
                self.wrong
                    .push(wrong("bool_type", Self::place(key), msg, value.clone()));
                false
            }
        }
    }

    pub fn path(&mut self, key: &str) -> Option<PathBuf> {
        let value = self.body.get(key)?;
        self.text_or_none(key, value)?.map(PathBuf::from)
    }

    pub fn table(&mut self, key: &str) -> BTreeMap<String, String> {
        let entries = match self.body.get(key) {
            None | Some(Value::Null) => return BTreeMap::new(),
            Some(Value::Object(entries)) => entries,
            Some(value) => {
                let msg = "Input should be a valid dictionary";
                self.wrong
                    .push(wrong("dict_type", Self::place(key), msg, value.clone()));
                return BTreeMap::new();
            }
        };
        let read = entries.iter().filter_map(|(name, value)| {
            let mut place = Self::place(key);
            place.push(name.as_str().into());
            Some((name.clone(), self.text(place, value)?))
        });
        read.collect()
    }

    fn text(&mut self, place: Vec<Step>, value: &Value) -> Option<String> {
        match value {
            Value::String(text) => Some(text.clone()),
            value => {
                let msg = "Input should be a valid string";
                self.wrong(wrong("string_type", place, msg, value.clone()))
            }
        }
    }
}

pub fn wrong(kind: &'static str, loc: Vec<Step>, msg: &str, input: Value) -> Wrong {
    Wrong {
        r#type: kind,
        loc,
        msg: msg.to_owned(),
        input: Some(input),
        ctx: None,
    }
}

/// With `{key: value}`.
pub fn with(mut wrong: Wrong, key: &str, value: &str) -> Wrong {
    wrong.ctx = Some(json!({key: value}));
    wrong
}
