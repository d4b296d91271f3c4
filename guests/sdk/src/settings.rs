//! A sink's settings, read so that what is wrong with them can be said in the user's words.
//!
//! `serde_json`'s own errors are sentences; here they are kept apart as the setting at fault and the problem,
//! which is what the contract asks for, so this is a deserializer of its own over parsed JSON.

use std::fmt;

use serde::{
    de::{
        self, DeserializeOwned, DeserializeSeed, Deserializer, Expected, IntoDeserializer,
        MapAccess, SeqAccess, Unexpected, Visitor,
    },
    forward_to_deserialize_any,
};
use serde_json::{Map, Value};

use crate::Misconfiguration;

/// Reads settings from the JSON that `configure` gets.
pub fn parse<T: DeserializeOwned>(json: &str) -> Result<T, Misconfiguration> {
    let value: Value = serde_json::from_str(json).map_err(|error| Misconfiguration {
        key: None,
        problem: format!("not valid JSON: {error}"),
    })?;
    T::deserialize(Setting(value))
        .map_err(|Fault { key, problem }| Misconfiguration { key, problem })
}

struct Setting(Value);

impl<'de> Deserializer<'de> for Setting {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::String(value) => visitor.visit_string(value),
            Value::Array(items) => visitor.visit_seq(Items(items.into_iter())),
            Value::Object(entries) => visitor.visit_map(Entries::new(entries)),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(value), _, _) => visitor.visit_u64(value),
                (_, Some(value), _) => visitor.visit_i64(value),
                (_, _, Some(value)) => visitor.visit_f64(value),
                _ => Err(de::Error::custom(format_args!("{number} is out of range"))),
            },
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Object(entries) => visitor.visit_map(Entries::new(entries)),
            other => Err(de::Error::invalid_type(unexpected(&other), &"a table")),
        }
    }

    /// Only enums without data: a setting that is one of several words.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.0 {
            Value::String(word) => {
                let word: de::value::StringDeserializer<Fault> = word.into_deserializer();
                word.deserialize_enum(name, variants, visitor)
            }
            other => Err(de::Error::invalid_type(
                unexpected(&other),
                &OneOf(variants),
            )),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map identifier ignored_any
    }
}

fn unexpected(value: &Value) -> Unexpected<'_> {
    match value {
        Value::Null => Unexpected::Unit,
        Value::Bool(value) => Unexpected::Bool(*value),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(value), _) => Unexpected::Signed(value),
            (_, Some(value)) => Unexpected::Float(value),
            _ => Unexpected::Other("number"),
        },
        Value::String(value) => Unexpected::Str(value),
        Value::Array(_) => Unexpected::Seq,
        Value::Object(_) => Unexpected::Map,
    }
}

struct Items(std::vec::IntoIter<Value>);

impl<'de> SeqAccess<'de> for Items {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        self.0
            .next()
            .map(|value| seed.deserialize(Setting(value)))
            .transpose()
    }
}

struct Entries {
    rest: serde_json::map::IntoIter,
    current: Option<(String, Value)>,
}

impl Entries {
    fn new(entries: Map<String, Value>) -> Self {
        Self {
            rest: entries.into_iter(),
            current: None,
        }
    }
}

impl<'de> MapAccess<'de> for Entries {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        self.current = self.rest.next();
        match &self.current {
            Some((key, _)) => seed.deserialize(key.as_str().into_deserializer()).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let (key, value) = self
            .current
            .take()
            .ok_or_else(|| de::Error::custom("value asked for before its key"))?;
        seed.deserialize(Setting(value))
            .map_err(|fault: Fault| fault.within(&key))
    }
}

/// A setting, dotted where nested, and what is wrong with it.
#[derive(Debug)]
struct Fault {
    key: Option<String>,
    problem: String,
}

impl Fault {
    fn within(mut self, table: &str) -> Self {
        self.key = Some(match self.key {
            Some(key) => format!("{table}.{key}"),
            None => table.to_owned(),
        });
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{key}: {}", self.problem),
            None => f.write_str(&self.problem),
        }
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self {
            key: None,
            problem: message.to_string(),
        }
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self {
            key: None,
            problem: format!("expected {expected}, not {unexpected}"),
        }
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        let hint = hint(field, known, "the settings are", "there are none");
        Self {
            key: Some(field.to_owned()),
            problem: format!("unknown setting; {hint}"),
        }
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        let hint = hint(word, known, "the values are", "there are none");
        Self {
            key: None,
            problem: format!("unknown value {word:?}; {hint}"),
        }
    }

    fn missing_field(field: &'static str) -> Self {
        Self {
            key: Some(field.to_owned()),
            problem: "missing, and there is no default".to_owned(),
        }
    }
}

/// The nearest of the known names, or all of them where none is near.
fn hint(name: &str, known: &[&str], list: &str, empty: &str) -> String {
    let distance = |candidate: &&str| strsim::osa_distance(name, candidate);
    match known.iter().copied().min_by_key(distance) {
        // One slip in three letters is a typing error, more is another word.
        Some(nearest) if distance(&nearest) <= name.chars().count().div_ceil(3) => {
            format!("did you mean {nearest:?}?")
        }
        Some(_) => format!("{list} {}", quoted(known)),
        None => empty.to_owned(),
    }
}

fn quoted(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("{name:?}"))
        .collect::<Vec<_>>()
        .join(", ")
}

struct OneOf(&'static [&'static str]);

impl Expected for OneOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one of {}", quoted(self.0))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        url: String,
        #[serde(default)]
        headers: BTreeMap<String, String>,
        timeout: Option<f64>,
        filter: Option<Filter>,
        nested: Option<Nested>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "kebab-case")]
    enum Filter {
        All,
        Bad,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Nested {
        depth: u8,
    }

    fn fault(json: &str) -> (Option<String>, String) {
        let Misconfiguration { key, problem } = parse::<Settings>(json).unwrap_err();
        (key, problem)
    }

    fn at(key: &str, problem: &str) -> (Option<String>, String) {
        (Some(key.to_owned()), problem.to_owned())
    }

    #[test]
    fn reads_what_is_right() {
        let settings: Settings =
            parse(r#"{"url": "u", "headers": {"A": "b"}, "timeout": 3, "filter": "bad", "nested": {"depth": 2}}"#)
                .unwrap();
        assert_eq!(
            settings,
            Settings {
                url: "u".into(),
                headers: [("A".into(), "b".into())].into(),
                timeout: Some(3.0),
                filter: Some(Filter::Bad),
                nested: Some(Nested { depth: 2 }),
            }
        );
    }

    #[test]
    fn names_the_nearest_setting() {
        assert_eq!(
            fault(r#"{"ulr": "u"}"#),
            at("ulr", r#"unknown setting; did you mean "url"?"#)
        );
    }

    #[test]
    fn lists_the_settings_where_none_is_near() {
        assert_eq!(
            fault(r#"{"zzz": 1}"#),
            at(
                "zzz",
                r#"unknown setting; the settings are "url", "headers", "timeout", "filter", "nested""#
            )
        );
    }

    #[test]
    fn names_what_is_missing() {
        assert_eq!(fault("{}"), at("url", "missing, and there is no default"));
    }

    #[test]
    fn names_a_setting_of_the_wrong_type() {
        assert_eq!(
            fault(r#"{"url": 1}"#),
            at("url", "expected a string, not integer `1`")
        );
        assert_eq!(
            fault(r#"{"url": "", "headers": {"A": true}}"#),
            at("headers.A", "expected a string, not boolean `true`")
        );
        assert_eq!(
            fault(r#"{"url": "", "nested": {"depth": 256}}"#),
            at("nested.depth", "expected u8, not integer `256`")
        );
    }

    #[test]
    fn names_the_nearest_value() {
        assert_eq!(
            fault(r#"{"url": "", "filter": "bda"}"#),
            at("filter", r#"unknown value "bda"; did you mean "bad"?"#)
        );
        assert_eq!(
            fault(r#"{"url": "", "filter": 7}"#),
            at("filter", r#"expected one of "all", "bad", not integer `7`"#)
        );
    }

    #[test]
    fn looks_inside_tables() {
        assert_eq!(
            fault(r#"{"url": "", "nested": {"depht": 1}}"#),
            at("nested.depht", r#"unknown setting; did you mean "depth"?"#)
        );
    }

    #[test]
    fn blames_no_setting_where_it_is_none() {
        assert_eq!(
            fault("[1]"),
            (None, "expected a table, not sequence".to_owned())
        );
        assert_eq!(fault("{").0, None);
    }
}
