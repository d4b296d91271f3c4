//! How times, folders and warnings are written.

use pytest_host_sdk::{Session, events::Warning};

/// Seconds east of UTC, and folders that may be this machine's alone.
#[derive(Clone, Debug)]
pub struct Writing {
    offset: f64,
    root: String,
    /// Each with its name; empty where they may stay.
    folders: Vec<(String, &'static str)>,
}

impl Writing {
    pub fn new(session: &Session, strip_paths: bool) -> Self {
        let offset = session
            .labels
            .iter()
            .find(|(name, _)| name == "utc-offset")
            .and_then(|(_, seconds)| seconds.parse().ok());
        let (prefix, base_prefix) = &session.python_prefixes;
        let folders = [
            (&session.rootdir, "pytest.rootpath"),
            (base_prefix, "sys.base_prefix"),
            (prefix, "sys.prefix"),
        ];
        let folders = folders
            .into_iter()
            .filter(|(folder, _)| strip_paths && !folder.is_empty())
            .map(|(folder, name)| (folder.clone(), name))
            .collect();
        Self {
            offset: offset.unwrap_or(0.0),
            root: session.rootdir.clone(),
            folders,
        }
    }

    /// As `datetime.isoformat` has a local time that names no zone.
    pub fn time(&self, seconds: f64) -> String {
        const MICROSECONDS: i64 = 1_000_000;
        const DAY: i64 = 86_400;
        // Saturates where it is no time at all.
        #[expect(clippy::cast_possible_truncation)]
        let all = ((seconds + self.offset) * 1e6).round() as i64;
        let (seconds, fraction) = (all.div_euclid(MICROSECONDS), all.rem_euclid(MICROSECONDS));
        let (year, month, day) = date(seconds.div_euclid(DAY));
        let second = seconds.rem_euclid(DAY);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let time = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
        match fraction {
            0 => time,
            _ => format!("{time}.{fraction:06}"),
        }
    }

    /// A text for a record.
    pub fn record(&self, text: &str) -> String {
        let mut text = text.trim().to_owned();
        for (folder, name) in &self.folders {
            text = text
                .replace(&format!("{folder}/"), &format!("<{name}>/"))
                .replace(folder, &format!("[{name}]"));
        }
        text
    }

    /// As `warnings.formatwarning` has it. In a test's own file it names that as the node id does.
    pub fn warning(&self, warning: &Warning) -> String {
        let Warning {
            path,
            line,
            category,
            message,
            nodeid,
            code,
            ..
        } = warning;
        let file = nodeid.as_deref().and_then(|id| id.split("::").next());
        let own = file.filter(|file| *path == format!("{}/{file}", self.root));
        let path = own.unwrap_or(path);
        let code = code.as_deref().filter(|code| !code.is_empty());
        let code = code.map_or(String::new(), |code| format!("\n  {code}"));
        format!("{path}:{line}: {category}: {message}{code}")
    }
}

/// Year, month and day of a day, counted from 1970-01-01.
fn date(day: i64) -> (i64, i64, i64) {
    // Years that begin in March end with the day that only some have; 400 of them are always as long.
    const ERA: i64 = 146_097;
    let day = day + 719_468;
    let (era, day) = (day.div_euclid(ERA), day.rem_euclid(ERA));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (year + era * 400 + later, month, day)
}

#[cfg(test)]
mod tests {
    use pytest_host_sdk::samples::session;

    use super::*;

    fn writing(labels: &[(&str, &str)], strip_paths: bool) -> Writing {
        let labels = labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Writing::new(
            &Session {
                labels,
                ..session()
            },
            strip_paths,
        )
    }

    /// `datetime.fromtimestamp(…).isoformat()`.
    #[test]
    fn times_are_local() {
        let utc = writing(&[], false);
        for (seconds, expected) in [
            (0.0, "1970-01-01T00:00:00"),
            (1_795_248_809.821_646, "2026-11-21T08:13:29.821646"),
            (1_709_164_800.0, "2024-02-29T00:00:00"),
            (1_709_251_199.999_999, "2024-02-29T23:59:59.999999"),
            (1_709_251_200.0, "2024-03-01T00:00:00"),
            (951_782_400.5, "2000-02-29T00:00:00.500000"),
            (4_107_542_400.0, "2100-03-01T00:00:00"),
            (-1.0, "1969-12-31T23:59:59"),
        ] {
            assert_eq!(utc.time(seconds), expected);
        }
        let india = writing(&[("utc-offset", "19800")], false);
        assert_eq!(india.time(1_709_231_400.25), "2024-03-01T00:00:00.250000");
        let brazil = writing(&[("utc-offset", "-10800")], false);
        assert_eq!(brazil.time(1_709_251_200.0), "2024-02-29T21:00:00");
    }

    #[test]
    fn folders_are_taken_out_where_asked_for() {
        let text = " in /suite/a.py, /suite, /usr/lib, /usr, /venv/x, /venv\n";
        let all = writing(&[], false);
        assert_eq!(all.record(text), text.trim());
        let stripped = writing(&[], true);
        assert_eq!(
            stripped.record(text),
            "in <pytest.rootpath>/a.py, [pytest.rootpath], <sys.base_prefix>/lib, [sys.base_prefix], \
             <sys.prefix>/x, [sys.prefix]"
        );
    }

    #[test]
    fn warnings_are_as_python_writes_them() {
        let warning = |path: &str, nodeid: Option<&str>, code: Option<&str>| Warning {
            category: "UserWarning".into(),
            message: "careful".into(),
            path: path.into(),
            line: 3,
            stage: "runtest".into(),
            nodeid: nodeid.map(str::to_owned),
            code: code.map(str::to_owned),
        };
        let writing = writing(&[], false);
        assert_eq!(
            writing.warning(&warning(
                "/suite/d/t.py",
                Some("d/t.py::test_a"),
                Some("warn()")
            )),
            "d/t.py:3: UserWarning: careful\n  warn()"
        );
        assert_eq!(
            writing.warning(&warning("/lib/x.py", Some("d/t.py::test_a"), None)),
            "/lib/x.py:3: UserWarning: careful"
        );
        assert_eq!(
            writing.warning(&warning("/suite/t.py", None, Some(""))),
            "/suite/t.py:3: UserWarning: careful"
        );
    }
}
