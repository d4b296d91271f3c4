//! What `relay` is told.

use pytest_host_sdk::{Misconfiguration, misconfigured, websocket};
use serde::Deserialize;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// The session's id; made of what is known of the run where it is not set.
    pub session_id: Option<String>,
    /// Takes the folders of this machine out of texts.
    #[serde(default)]
    pub strip_paths: bool,
    /// A server to send to, on top of the topic.
    pub ws_url: Option<String>,
}

impl Settings {
    /// The `scheme://host:port` of the server, if there is one.
    pub fn server(&self) -> Result<Option<String>, Misconfiguration> {
        let authority = self.ws_url.as_deref().map(websocket::authority);
        authority
            .transpose()
            .map_err(|problem| misconfigured("ws-url", problem))
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
    fn nothing_is_needed() {
        let settings = settings("{}");
        assert_eq!(settings.server().unwrap(), None);
        assert_eq!((settings.session_id, settings.strip_paths), (None, false));
    }

    #[test]
    fn needs_the_server_alone() {
        let server = |url: &str| settings(&format!(r#"{{"ws-url": "{url}"}}"#)).server();
        assert_eq!(
            server("ws://127.0.0.1:8000").unwrap().unwrap(),
            "ws://127.0.0.1:8000"
        );
        assert_eq!(
            server("wss://Live.Example/p").unwrap().unwrap(),
            "wss://live.example:443"
        );
        let fault = server("http://h/").unwrap_err();
        assert_eq!(fault.key.as_deref(), Some("ws-url"));
        assert_eq!(fault.problem, "expected ws:// or wss://");
    }

    #[test]
    fn says_what_is_wrong() {
        let fault = parse_settings::<Settings>(r#"{"session_id": "x"}"#).unwrap_err();
        assert_eq!(
            fault.problem,
            r#"unknown setting; did you mean "session-id"?"#
        );
    }
}
