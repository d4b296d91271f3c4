//! Values of properties, as Python's `str` shows them.

use std::fmt::Write as _;

use serde_json::Value;

/// What pytest writes of a value that the contract has as JSON.
pub fn shown(json: &str) -> String {
    match serde_json::from_str(json) {
        Ok(Value::String(text)) => text,
        Ok(value) => {
            let mut text = String::new();
            write(&mut text, &value);
            text
        }
        Err(_) => json.to_owned(),
    }
}

fn write(text: &mut String, value: &Value) {
    match value {
        Value::Null => text.push_str("None"),
        Value::Bool(true) => text.push_str("True"),
        Value::Bool(false) => text.push_str("False"),
        Value::Number(number) => {
            let _ = write!(text, "{number}");
        }
        Value::String(inner) => quote(text, inner),
        Value::Array(values) => {
            text.push('[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                write(text, value);
            }
            text.push(']');
        }
        Value::Object(pairs) => {
            text.push('{');
            for (index, (key, value)) in pairs.iter().enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                quote(text, key);
                text.push_str(": ");
                write(text, value);
            }
            text.push('}');
        }
    }
}

/// In the quotes that Python takes: single ones, unless there are some inside and no double ones.
fn quote(text: &mut String, inner: &str) {
    let mark = if inner.contains('\'') && !inner.contains('"') {
        '"'
    } else {
        '\''
    };
    text.push(mark);
    for c in inner.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            c if c == mark => {
                text.push('\\');
                text.push(c);
            }
            c if c.is_ascii_control() => {
                let _ = write!(text, "\\x{:02x}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push(mark);
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn values_are_as_python_shows_them() {
        assert_eq!(shown("\"a b\""), "a b");
        assert_eq!(shown("[1, \"two\", null, true]"), "[1, 'two', None, True]");
        assert_eq!(shown("{\"it's\": [\"x\\n\"]}"), "{\"it's\": ['x\\n']}");
        assert_eq!(shown("1.5"), "1.5");
    }
}
