//! One `<testcase>`.

use pytest_host_sdk::{
    Session,
    events::{Outcome, Phase, Report},
};
use serde::{Deserialize, Serialize};

use crate::{
    property,
    report::{Duration, Element, element},
};

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Case {
    pub classname: String,
    pub name: String,
    /// Seconds.
    pub time: f64,
    pub properties: Vec<(String, String)>,
    pub elements: Vec<Element>,
    /// Calls of the test and of its subtests that passed: pytest counts each.
    pub passes: usize,
    /// It goes on with one that was counted: a failed teardown after a failed call.
    pub is_second: bool,
}

impl Case {
    /// Nothing of the test is known yet but its name.
    pub fn new(nodeid: &str) -> Self {
        let (classname, name) = address(nodeid);
        Self {
            classname,
            name,
            ..Self::default()
        }
    }

    /// Of a file that could not be collected, or skips itself.
    pub fn of_collection(nodeid: &str, tag: &str, message: &str, text: &str) -> Self {
        let (classname, name) = address(nodeid);
        let element = Element {
            tag: tag.to_owned(),
            kind: None,
            message: message.to_owned(),
            text: text.to_owned(),
        };
        Self {
            classname,
            name,
            elements: vec![element],
            ..Self::default()
        }
    }

    /// Of an attempt that was run again.
    pub fn without_outcome(self) -> Self {
        Self {
            elements: vec![],
            passes: 0,
            ..self
        }
    }

    /// Takes a phase. Answers with the case so far where another one begins: JUnit has either a failure or an
    /// error in a case.
    pub fn take(&mut self, report: &Report, duration: Duration, session: &Session) -> Option<Self> {
        let has_failed = self.elements.iter().any(|element| element.tag == "failure");
        let is_teardown_error =
            report.phase == Phase::Teardown && matches!(report.outcome, Outcome::Failed);
        let before = (has_failed && is_teardown_error).then(|| {
            let next = Self {
                classname: self.classname.clone(),
                name: self.name.clone(),
                is_second: true,
                ..Self::default()
            };
            std::mem::replace(self, next)
        });
        self.add(report, duration, session);
        before
    }

    fn add(&mut self, report: &Report, duration: Duration, session: &Session) {
        if duration == Duration::Total || report.phase == Phase::Call {
            self.time += report.duration;
        }
        if report.phase == Phase::Call && matches!(report.outcome, Outcome::Passed) {
            self.passes += 1;
        }
        self.elements.extend(element(report, session));
        for (name, value) in &report.properties {
            self.properties.push((name.clone(), property::shown(value)));
        }
    }
}

/// Class name and name: `a/b.py::C::test[x]` is `test[x]` of `a.b.C`.
fn address(nodeid: &str) -> (String, String) {
    // What is in brackets may hold anything.
    let (plain, parameters) = match nodeid.find('[') {
        Some(at) => nodeid.split_at(at),
        None => (nodeid, ""),
    };
    let mut parts = plain.split("::");
    let path = parts.next().unwrap_or_default();
    let path = path.replace('/', ".");
    let path = path.strip_suffix(".py").unwrap_or(&path).to_owned();
    let mut names: Vec<String> = std::iter::once(path)
        .chain(parts.map(str::to_owned))
        .collect();
    let last = names.pop().unwrap_or_default();
    (names.join("."), last + parameters)
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn a_node_id_is_a_class_and_a_name() {
        let told = |nodeid| {
            let (class, name) = address(nodeid);
            format!("{class} {name}")
        };
        assert_eq!(told("a/b.py::C::test[x::y/z.py]"), "a.b.C test[x::y/z.py]");
        assert_eq!(told("test_a.py::test_b"), "test_a test_b");
        assert_eq!(told("broken.py"), " broken");
    }
}
