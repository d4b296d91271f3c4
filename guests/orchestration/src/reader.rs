//! Reads JSON with comments, key by key, so that what is wrong can be said with its place.

use jsonc_parser::ast::{Array, Object, ObjectProp, Value};
use jsonc_parser::common::Ranged as _;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use crate::fault::Fault;

/// What is beyond JSON: comments, as the published plugin's README shows them, and
/// commas at the end, as one leaves them when a line is commented out.
const OPTIONS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// The object that `text` is.
pub fn parse(text: &str) -> Result<Object<'_>, Fault> {
    let parsed = parse_to_ast(text, &CollectOptions::default(), &OPTIONS).map_err(|error| {
        let problem = error.kind().to_string();
        Fault {
            line: error.line_display(),
            column: error.column_display(),
            problem: crate::words::fragment(&problem),
        }
    })?;
    match parsed.value {
        Some(Value::Object(object)) => Ok(object),
        Some(other) => Err(Fault::at(text, other.start(), "should be an object, {…}")),
        None => Err(Fault::at(text, 0, "is empty")),
    }
}

/// One object, and what it is called in complaints.
pub struct Reader<'a> {
    text: &'a str,
    object: &'a Object<'a>,
    known: &'a [&'a str],
}

impl<'a> Reader<'a> {
    /// An object with these keys and no others, but for those that are for people.
    pub fn new(text: &'a str, object: &'a Object<'a>, known: &'a [&'a str]) -> Result<Self, Fault> {
        let reader = Self {
            text,
            object,
            known,
        };
        for (at, property) in object.properties.iter().enumerate() {
            reader.check_key(at, property)?;
        }
        Ok(reader)
    }

    fn check_key(&self, at: usize, property: &ObjectProp) -> Result<(), Fault> {
        let key = property.name.as_str();
        let before = self.object.properties.iter().take(at);
        if before.into_iter().any(|other| other.name.as_str() == key) {
            return Err(self.fault(property, &format!("{key:?} is there twice")));
        }
        let for_people = key.starts_with('_') || ["comment", "description"].contains(&key);
        if for_people || self.known.contains(&key) {
            return Ok(());
        }
        let hint = crate::words::nearest(key, self.known);
        Err(self.fault(property, &format!("unknown key {key:?}{hint}")))
    }

    fn fault(&self, property: &ObjectProp, problem: &str) -> Fault {
        Fault::at(self.text, property.range.start, problem)
    }

    /// A complaint about the value of `key`, or the whole object where it has none.
    pub fn wrong(&self, key: &str, problem: &str) -> Fault {
        let at = self
            .object
            .get(key)
            .map_or(self.object.range.start, |property| property.value.start());
        Fault::at(self.text, at, format!("{key} {problem}"))
    }

    /// The value of `key`, where it is there and not null.
    fn value(&self, key: &str) -> Option<&'a Value<'a>> {
        let value = &self.object.get(key)?.value;
        value.as_null_keyword().is_none().then_some(value)
    }

    pub fn text(&self, key: &str) -> Result<Option<&'a str>, Fault> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let text = value.as_string_lit();
        text.map(|text| Some(text.value.as_ref()))
            .ok_or_else(|| self.wrong(key, "should be a text"))
    }

    /// A text that has to be there.
    pub fn name(&self, key: &str) -> Result<&'a str, Fault> {
        match self.text(key)? {
            Some("") => Err(self.wrong(key, "is empty")),
            Some(name) => Ok(name),
            None => Err(Fault::at(
                self.text,
                self.object.range.start,
                format!("{key:?} is missing"),
            )),
        }
    }

    pub fn flag(&self, key: &str) -> Result<Option<bool>, Fault> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let flag = value.as_boolean_lit();
        flag.map(|flag| Some(flag.value))
            .ok_or_else(|| self.wrong(key, "should be true or false"))
    }

    /// Any number that is not below 0.
    pub fn number(&self, key: &str) -> Result<Option<f64>, Fault> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let number = value.as_number_lit().and_then(|n| n.value.parse().ok());
        number
            .filter(|number: &f64| number.is_finite() && *number >= 0.0)
            .map(Some)
            .ok_or_else(|| self.wrong(key, "should be a number, 0 or more"))
    }

    pub fn whole(&self, key: &str) -> Result<Option<u64>, Fault> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let number = value.as_number_lit().and_then(|n| n.value.parse().ok());
        number
            .map(Some)
            .ok_or_else(|| self.wrong(key, "should be a whole number, 0 or more"))
    }

    fn array(&self, key: &str) -> Result<Option<&'a Array<'a>>, Fault> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let array = value.as_array();
        array
            .map(Some)
            .ok_or_else(|| self.wrong(key, "should be a list, […]"))
    }

    pub fn objects(&self, key: &str) -> Result<Vec<&'a Object<'a>>, Fault> {
        let array = self.array(key)?;
        let elements = array.iter().flat_map(|array| &array.elements);
        elements
            .map(|element| {
                element.as_object().ok_or_else(|| {
                    let problem = format!("{key} should be a list of objects, {{…}}");
                    Fault::at(self.text, element.start(), problem)
                })
            })
            .collect()
    }

    pub fn texts(&self, key: &str) -> Result<Vec<String>, Fault> {
        let array = self.array(key)?;
        let elements = array.iter().flat_map(|array| &array.elements);
        elements
            .map(|element| {
                let text = element.as_string_lit();
                text.map(|text| text.value.as_ref().to_owned())
                    .ok_or_else(|| {
                        let problem = format!("{key} should be a list of texts");
                        Fault::at(self.text, element.start(), problem)
                    })
            })
            .collect()
    }

    /// An object, as JSON.
    pub fn json(&self, key: &str) -> Result<Option<String>, Fault> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        if value.as_object().is_none() {
            return Err(self.wrong(key, "should be an object, {…}"));
        }
        Ok(Some(serde_json::Value::from(value.clone()).to_string()))
    }
}
