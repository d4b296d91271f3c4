//! Which checkpoints are approved, and when.

use serde::{Deserialize, Deserializer, de::Error as _};

const DAY: f64 = 24.0 * 3600.0;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Settings {
    /// Hours that clocks here are ahead of UTC.
    utc_offset: f64,
    approve: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    task: String,
    /// Seconds after midnight.
    #[serde(default, deserialize_with = "time_of_day")]
    from: f64,
    #[serde(default = "midnight", deserialize_with = "time_of_day")]
    until: f64,
    pub reason: Option<String>,
}

fn midnight() -> f64 {
    DAY
}

impl Settings {
    /// What is wrong with them, in one line.
    pub fn parse(json: &str) -> Result<Self, String> {
        let settings: Self = serde_json::from_str(json).map_err(|error| error.to_string())?;
        if settings.utc_offset.abs() > 24.0 {
            return Err("utc-offset should be hours, from -24 to 24".to_owned());
        }
        Ok(settings)
    }

    /// The first rule for a checkpoint of that name, at a time in seconds since the epoch.
    pub fn approves(&self, task: &str, time: f64) -> Option<&Rule> {
        let here = (time + self.utc_offset * 3600.0).rem_euclid(DAY);
        self.approve
            .iter()
            .find(|rule| rule.holds_at(here) && matches(&rule.task, task))
    }
}

impl Rule {
    fn holds_at(&self, time: f64) -> bool {
        if self.from <= self.until {
            (self.from..self.until).contains(&time)
        } else {
            time >= self.from || time < self.until
        }
    }
}

/// Whether `text` is like `pattern`, in which `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(start) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = text.find(part) else {
            return false;
        };
        text = text.get(at + part.len()..).unwrap_or_default();
    }
    text.ends_with(last)
}

/// `"08:30"`, to `"24:00"`.
fn time_of_day<'de, D: Deserializer<'de>>(value: D) -> Result<f64, D::Error> {
    let text = String::deserialize(value)?;
    let parsed = text.split_once(':').and_then(|(hours, minutes)| {
        let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
        let all = hours * 60 + minutes;
        (minutes < 60 && all <= 24 * 60).then(|| f64::from(all * 60))
    });
    parsed.ok_or_else(|| D::Error::custom(format!("{text:?} should be a time such as \"08:30\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn approved(task: &str, hour: f64) -> Option<String> {
        let settings = Settings::parse(
            r#"{"utc-offset": 1.0, "approve": [
                {"task": "Switch on board *", "from": "08:00", "until": "18:00", "reason": "office hours"},
                {"task": "*flash*", "from": "22:00", "until": "06:00", "reason": "at night"},
                {"task": "always"}
            ]}"#,
        )
        .unwrap();
        let rule = settings.approves(task, 20_000.0 * DAY + hour * 3600.0)?;
        Some(rule.reason.clone().unwrap_or_default())
    }

    #[test]
    fn by_name_and_time_of_day() {
        let office = Some("office hours".to_owned());
        assert_eq!(approved("Switch on board 7", 7.0), office);
        assert_eq!(approved("Switch on board 7", 16.9), office);
        assert_eq!(approved("Switch on board 7", 17.0), None);
        assert_eq!(approved("Switch off board 7", 12.0), None);
        let night = Some("at night".to_owned());
        assert_eq!(approved("Reflash it", 21.0), night);
        assert_eq!(approved("Reflash it", 3.0), night);
        assert_eq!(approved("Reflash it", 5.0), None);
        assert_eq!(approved("always", 23.5), Some(String::new()));
        assert_eq!(approved("always not", 23.5), None);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let wrong = |json: &str| Settings::parse(json).unwrap_err();
        assert!(wrong(r#"{"aprove": []}"#).starts_with("unknown field `aprove`"));
        let time = wrong(r#"{"approve": [{"task": "x", "from": "8 o'clock"}]}"#);
        assert!(
            time.starts_with(r#""8 o'clock" should be a time such as "08:30""#),
            "{time}"
        );
        assert!(wrong(r#"{"utc-offset": 100}"#).starts_with("utc-offset"));
    }

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c*", "abcd", true),
            ("*", "", true),
            ("a*b*c", "acb", false),
            ("ab", "abc", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
