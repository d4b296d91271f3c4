//! What the files of a result say.

use std::fmt::Write as _;

use pytest_host_results::{Exception, TestResult};
use pytest_host_sdk::python::repr;

/// Columns of a header line.
const WIDTH: usize = 66;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub name: &'static str,
    pub content: Vec<u8>,
}

/// All files of a result's folder.
pub fn of(result: &TestResult) -> Vec<Page> {
    let sections = sections(result);
    let mut pages = vec![Page {
        name: "brief.txt",
        content: brief(result, &sections).into_bytes(),
    }];
    pages.extend(sections.into_iter().map(|section| Page {
        name: section.file,
        content: section.text.into_bytes(),
    }));
    pages.push(Page {
        name: "result.json",
        content: result.json_indented(),
    });
    pages
}

/// A part of a result that has a file of its own and is repeated in the brief.
struct Section {
    title: &'static str,
    file: &'static str,
    text: String,
}

fn sections(result: &TestResult) -> Vec<Section> {
    let exception = result.excinfo.as_ref().map(exception).unwrap_or_default();
    [
        ("exception", "exception.txt", exception.as_str()),
        ("stdout", "stdout.txt", &result.stdout),
        ("stderr", "stderr.txt", &result.stderr),
        ("log", "log.txt", &result.log),
    ]
    .into_iter()
    .filter(|(_, _, text)| !text.is_empty())
    .map(|(title, file, text)| Section {
        title,
        file,
        text: block(text),
    })
    .collect()
}

fn brief(result: &TestResult, sections: &[Section]) -> String {
    let mut facts = format!("test: {}\n", result.nodeid);
    let mut fact = |name: &str, value: &str| {
        // Writing to a string does not fail.
        let _ = writeln!(facts, "{name}: {value}");
    };
    if let Some(scope) = &result.xdist_scope {
        fact("xdist-scope", scope);
    }
    fact("result", &result.result.to_string());
    fact("duration", &format!("{}s", repr(result.duration)));
    if let Some(worker) = &result.xdist_worker {
        fact("xdist-node", worker);
    }
    if let Some(dist) = result.xdist_dist.as_deref().filter(|dist| *dist != "no") {
        fact("xdist-dist", dist);
    }
    let mut brief = header("general test info") + &block(&facts);
    for Section { title, text, .. } in sections {
        brief += &header(title);
        brief += text;
    }
    brief
}

fn exception(
    Exception {
        r#type,
        value,
        traceback,
    }: &Exception,
) -> String {
    let traceback = traceback.concat();
    let frames = match trim_end(&traceback) {
        "" => String::new(),
        frames => format!("{frames}\n"),
    };
    match value.as_str() {
        "" => format!("{frames}{type}"),
        value => format!("{frames}{type}: {value}"),
    }
}

fn header(title: &str) -> String {
    let padding = WIDTH.saturating_sub(title.chars().count() + 2);
    format!(
        "{} {title} {}\n",
        "=".repeat(padding.div_ceil(2)),
        "=".repeat(padding / 2)
    )
}

/// Text as it is printed: with one line break at its end.
fn block(text: &str) -> String {
    format!("{}\n", trim_end(text))
}

/// Python's `rstrip`, which takes four more characters for space than Rust does.
fn trim_end(text: &str) -> &str {
    text.trim_end_matches(|c: char| c.is_whitespace() || ('\x1c'..='\x1f').contains(&c))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    type Golden = BTreeMap<String, String>;

    const CAPTURES: [&str; 2] = [
        include_str!("../golden/main.pubdir-all.json"),
        include_str!("../golden/xdist-loadgroup.pubdir.json"),
    ];

    /// Drops the frames of pytest's own code, which the captures have in some files only.
    fn own_frames(text: &str) -> String {
        let mut foreign = false;
        let keep = |line: &&str| {
            if line.starts_with("  File ") {
                foreign = line.contains("/site-packages/");
            } else if !line.starts_with("    ") {
                foreign = false;
            }
            !foreign
        };
        text.split_inclusive('\n').filter(keep).collect()
    }

    #[test]
    fn files_are_those_of_the_published_plugin() {
        let mut compared = 0;
        for capture in CAPTURES {
            let golden: Golden = serde_json::from_str(capture).unwrap();
            for (path, json) in golden
                .iter()
                .filter(|(path, _)| path.ends_with("/result.json"))
            {
                let result: TestResult = serde_json::from_str(json).unwrap();
                let folder = path.strip_suffix("result.json").unwrap();
                let expected: BTreeMap<_, _> = golden
                    .iter()
                    .filter_map(|(path, text)| Some((path.strip_prefix(folder)?, own_frames(text))))
                    .collect();
                let pages = of(&result);
                let actual: BTreeMap<_, _> = pages
                    .iter()
                    .map(|page| {
                        (
                            page.name,
                            own_frames(str::from_utf8(&page.content).unwrap()),
                        )
                    })
                    .collect();
                assert_eq!(actual, expected, "{path}");
                compared += 1;
            }
        }
        assert_eq!(compared, 31);
    }

    #[test]
    fn an_exception_without_a_message_is_its_type() {
        let exception = |value: &str, traceback: &[&str]| {
            let traceback = traceback.iter().map(|frame| frame.to_string()).collect();
            block(&exception(&Exception {
                r#type: "Failed".into(),
                value: value.into(),
                traceback,
            }))
        };
        assert_eq!(exception("", &[]), "Failed\n");
        assert_eq!(exception("why \n", &[]), "Failed: why\n");
        assert_eq!(
            exception("", &["  frame\n    code\n\n"]),
            "  frame\n    code\nFailed\n"
        );
    }

    #[test]
    fn space_is_what_python_takes_for_space() {
        assert_eq!(trim_end("a\u{1c}\u{1f}\u{85}\u{a0}\u{3000} \n"), "a");
        assert_eq!(trim_end("a\u{200b}"), "a\u{200b}");
    }
}
