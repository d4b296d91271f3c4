//! What `rt` is told.

use std::collections::BTreeMap;

use pytest_host_sdk::http::{self, Endpoint};
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where messages are posted to.
    pub url: String,
    /// Names the environment, for people.
    pub env: Option<String>,
    /// Joins what several runs send.
    pub custom_id: Option<String>,
    /// Passed on as it is.
    pub custom_data: Option<String>,
    /// Asks the receiver for a report of the run.
    #[serde(default)]
    pub job_report: bool,
    /// This run's id; made of what is known of the session where it is not set.
    pub job_id: Option<String>,
    /// Says what could not be posted, and why.
    #[serde(default = "yes")]
    pub show_errors: bool,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default = "http::default_timeout")]
    pub timeout: f64,
    #[serde(default = "http::default_concurrency")]
    pub concurrency: u8,
}

fn yes() -> bool {
    true
}

impl Settings {
    pub fn endpoint(&self) -> Endpoint {
        let ours = ("accept".to_owned(), "text/plain".to_owned());
        let mut headers = self.headers.clone();
        if !headers
            .keys()
            .any(|name| name.eq_ignore_ascii_case(&ours.0))
        {
            headers.extend([ours]);
        }
        Endpoint {
            url: self.url.clone(),
            headers,
            timeout: self.timeout,
            concurrency: self.concurrency,
        }
    }
}

#[cfg(test)]
mod tests {
    use pytest_host_sdk::parse_settings;

    use super::*;

    fn settings(json: &str) -> Settings {
        parse_settings(json).unwrap()
    }

    #[test]
    fn the_url_is_all_it_takes() {
        let settings = settings(r#"{"url": "http://h/x"}"#);
        assert_eq!(settings.endpoint().check().unwrap(), "http://h:80");
        assert!(settings.show_errors && !settings.job_report);
        assert_eq!((settings.timeout, settings.concurrency), (10.0, 32));
        let more = [
            settings.env,
            settings.custom_id,
            settings.custom_data,
            settings.job_id,
        ];
        assert_eq!(more, [None, None, None, None]);
    }

    #[test]
    fn says_what_is_wrong() {
        let fault = |json| {
            let fault = parse_settings::<Settings>(json).unwrap_err();
            (fault.key.unwrap_or_default(), fault.problem)
        };
        assert_eq!(
            fault("{}"),
            ("url".into(), "missing, and there is no default".into())
        );
        assert_eq!(
            fault(r#"{"url": "http://h", "custom-id": "x"}"#),
            (
                "custom-id".into(),
                r#"unknown setting; did you mean "custom_id"?"#.into()
            )
        );
        assert_eq!(
            fault(r#"{"url": "http://h", "custom_data": {"a": 1}}"#).0,
            "custom_data"
        );
    }

    #[test]
    fn takes_text_unless_the_user_says_otherwise() {
        let accepted = |json| {
            settings(json)
                .endpoint()
                .headers
                .into_iter()
                .collect::<Vec<_>>()
        };
        assert_eq!(
            accepted(r#"{"url": "http://h"}"#),
            [("accept".to_owned(), "text/plain".to_owned())]
        );
        assert_eq!(
            accepted(r#"{"url": "http://h", "headers": {"Accept": "*/*"}}"#),
            [("Accept".to_owned(), "*/*".to_owned())]
        );
    }
}
