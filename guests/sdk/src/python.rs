//! JSON and numbers as Python writes them, so that what consumers of a published plugin parse, compare or
//! grep looks the same.

use std::io;

use serde::Serialize;
use serde_json::{
    Serializer,
    ser::{Formatter, PrettyFormatter},
};

/// `json.dumps(value)`.
///
/// # Errors
///
/// Where a map has keys that are no strings.
pub fn dumps<T: Serialize>(value: &T) -> serde_json::Result<Vec<u8>> {
    serialize(value, Compact)
}

/// `json.dumps(value)` at the end of `json`.
///
/// # Errors
///
/// As [`dumps`]; what was written by then stays.
pub fn dump<T: Serialize>(value: &T, json: &mut Vec<u8>) -> serde_json::Result<()> {
    value.serialize(&mut Serializer::with_formatter(json, Compact))
}

/// `json.dumps(value, indent=4)`.
///
/// # Errors
///
/// As [`dumps`].
pub fn dumps_indented<T: Serialize>(value: &T) -> serde_json::Result<Vec<u8>> {
    serialize(value, Indented(PrettyFormatter::with_indent(b"    ")))
}

fn serialize<T: Serialize>(value: &T, formatter: impl Formatter) -> serde_json::Result<Vec<u8>> {
    let mut json = Vec::with_capacity(512);
    value.serialize(&mut Serializer::with_formatter(&mut json, formatter))?;
    Ok(json)
}

/// `repr(number)`.
pub fn repr(number: f64) -> String {
    if !number.is_finite() {
        return if number.is_nan() {
            "nan".to_owned()
        } else if number > 0.0 {
            "inf".to_owned()
        } else {
            "-inf".to_owned()
        };
    }
    // Rust and Python agree on the digits, the shortest that read back as the same number, and differ in
    // when they write an exponent, and how.
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>() {
        Ok(-4..16) | Err(_) => format!("{number:?}"),
        Ok(exponent) => format!("{digits}e{exponent:+03}"),
    }
}

struct Compact;

impl Formatter for Compact {
    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        separate(out, first)
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        separate(out, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, out: &mut W, value: f64) -> io::Result<()> {
        out.write_all(repr(value).as_bytes())
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        text: &str,
    ) -> io::Result<()> {
        write_ascii(out, text)
    }
}

fn separate<W: ?Sized + io::Write>(out: &mut W, first: bool) -> io::Result<()> {
    if first { Ok(()) } else { out.write_all(b", ") }
}

struct Indented(PrettyFormatter<'static>);

impl Formatter for Indented {
    fn begin_array<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_array(out)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array(out)
    }

    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(out, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array_value(out)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object(out)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object(out)
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(out, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object_value(out)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object_value(out)
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, out: &mut W, value: f64) -> io::Result<()> {
        out.write_all(repr(value).as_bytes())
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        text: &str,
    ) -> io::Result<()> {
        write_ascii(out, text)
    }
}

/// Writes a piece of a string, in which what JSON itself has to escape does not occur.
fn write_ascii<W: ?Sized + io::Write>(out: &mut W, mut text: &str) -> io::Result<()> {
    while let Some(at) = text.find(|c: char| !(' '..='~').contains(&c)) {
        let (plain, rest) = text.split_at(at);
        out.write_all(plain.as_bytes())?;
        let mut rest = rest.chars();
        for unit in rest
            .next()
            .iter()
            .flat_map(|c| c.encode_utf16(&mut [0; 2]).to_vec())
        {
            write!(out, "\\u{unit:04x}")?;
        }
        text = rest.as_str();
    }
    out.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(json: serde_json::Result<Vec<u8>>) -> String {
        String::from_utf8(json.unwrap()).unwrap()
    }

    #[test]
    fn separates_as_python_does() {
        let value = json!({"a": [1, 2.0, null], "b": {}, "c": []});
        assert_eq!(
            text(dumps(&value)),
            r#"{"a": [1, 2.0, null], "b": {}, "c": []}"#
        );
        assert_eq!(
            text(dumps_indented(&value)),
            "{\n    \"a\": [\n        1,\n        2.0,\n        null\n    ],\n    \"b\": {},\n    \"c\": []\n}"
        );
    }

    #[test]
    fn escapes_as_python_does() {
        let value = "a\"\\/\u{8}\u{c}\n\r\t\u{0}\u{1f}\u{7f}é☃\u{2028}😀z";
        let expected = r#""a\"\\/\b\f\n\r\t\u0000\u001f\u007f\u00e9\u2603\u2028\ud83d\ude00z""#;
        assert_eq!(text(dumps(&value)), expected);
        assert_eq!(text(dumps_indented(&value)), expected);
    }

    #[test]
    fn writes_numbers_as_python_does() {
        for (number, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.1, "0.1"),
            (0.0001, "0.0001"),
            (0.00012029799995616486, "0.00012029799995616486"),
            (7.646300002761564e-05, "7.646300002761564e-05"),
            (1e-5, "1e-05"),
            (1795247731.7012532, "1795247731.7012532"),
            (123456789012345680.0, "1.2345678901234568e+17"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (-2.5e-7, "-2.5e-07"),
            (5e-324, "5e-324"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
            (f64::INFINITY, "inf"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(repr(number), expected);
        }
        assert_eq!(text(dumps(&json!([1e-5, 1e22]))), "[1e-05, 1e+22]");
    }
}
