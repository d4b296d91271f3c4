//! The document.

use jiff::Timestamp;
use pytest_host_sdk::Session;
use quick_xml::{
    Writer,
    events::{BytesDecl, BytesText, Event, attributes::Attribute},
    name::QName,
};

use crate::{case::Case, report::Element, text::escape};

/// What is said of all test cases together.
pub struct Suite<'a> {
    pub name: &'a str,
    pub session: &'a Session,
    /// From the session's start to its end.
    pub seconds: f64,
}

/// All of it as text.
pub fn document(suite: &Suite<'_>, cases: &[Case]) -> std::io::Result<String> {
    let elements = || cases.iter().flat_map(|case| &case.elements);
    let count = |tag: &str| {
        elements()
            .filter(|element| element.tag == tag)
            .count()
            .to_string()
    };
    let passes: usize = cases.iter().map(|case| case.passes).sum();
    let seconds = cases.iter().filter(|case| case.is_second).count();
    let tests = passes + elements().count() - seconds;
    #[expect(clippy::cast_possible_truncation, reason = "a time of this age")]
    let started = Timestamp::from_microsecond((suite.session.started * 1e6) as i64);
    let started = started.map_or_else(|_| String::new(), |started| started.to_string());
    let mut xml = Writer::new(Vec::new());
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None)))?;
    xml.create_element("testsuites")
        .with_attribute(("name", "pytest tests"))
        .write_inner_content(|xml| {
            xml.create_element("testsuite")
                .with_attribute(attribute("name", suite.name))
                .with_attribute(("errors", count("error").as_str()))
                .with_attribute(("failures", count("failure").as_str()))
                .with_attribute(("skipped", count("skipped").as_str()))
                .with_attribute(("tests", tests.to_string().as_str()))
                .with_attribute(("time", format!("{:.3}", suite.seconds).as_str()))
                .with_attribute(("timestamp", started.as_str()))
                .with_attribute(("hostname", suite.session.hostname.as_str()))
                .write_inner_content(|xml| {
                    cases.iter().try_for_each(|case| write_case(xml, case))
                })?;
            Ok(())
        })?;
    Ok(String::from_utf8_lossy(&xml.into_inner()).into_owned())
}

/// With its line ends: a reader makes spaces of those that are not escaped.
fn attribute<'a>(name: &'a str, value: &str) -> Attribute<'a> {
    let value = quick_xml::escape::escape(escape(value))
        .replace('\n', "&#10;")
        .replace('\r', "&#13;")
        .replace('\t', "&#9;");
    Attribute {
        key: QName(name.as_bytes()),
        value: value.into_bytes().into(),
    }
}

type Xml = Writer<Vec<u8>>;

fn write_case(xml: &mut Xml, case: &Case) -> std::io::Result<()> {
    let element = xml
        .create_element("testcase")
        .with_attribute(attribute("classname", &case.classname))
        .with_attribute(attribute("name", &case.name))
        .with_attribute(("time", format!("{:.3}", case.time).as_str()));
    if case.properties.is_empty() && case.elements.is_empty() {
        element.write_empty()?;
        return Ok(());
    }
    element.write_inner_content(|xml| {
        if !case.properties.is_empty() {
            xml.create_element("properties")
                .write_inner_content(|xml| {
                    for (name, value) in &case.properties {
                        xml.create_element("property")
                            .with_attribute(("name", escape(name).as_str()))
                            .with_attribute(("value", escape(value).as_str()))
                            .write_empty()?;
                    }
                    Ok(())
                })?;
        }
        case.elements
            .iter()
            .try_for_each(|element| write_element(xml, element))
    })?;
    Ok(())
}

fn write_element(xml: &mut Xml, element: &Element) -> std::io::Result<()> {
    let mut written = xml.create_element(element.tag.as_str());
    if let Some(kind) = &element.kind {
        written = written.with_attribute(("type", kind.as_str()));
    }
    let written = written.with_attribute(attribute("message", &element.message));
    if element.text.is_empty() {
        written.write_empty()?;
    } else {
        written.write_text_content(BytesText::new(&escape(&element.text)))?;
    }
    Ok(())
}
