//! Settings that are secret, or written elsewhere: from the file to the guest, and back
//! from the journal.

use super::*;

fn folder(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("host.toml"), text).unwrap();
    folder
}

fn config(folder: &tempfile::TempDir, variables: &[(&str, &str)]) -> Config {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(folder.path(), variables).unwrap()
}

fn publish(set: &[&str]) -> Request {
    Request {
        sinks: Some(vec!["publish".into()]),
        set: set.iter().map(|text| (*text).to_owned()).collect(),
        ..Request::default()
    }
}

fn spec(config: &Config, request: &Request) -> Result<SinkSpec, String> {
    let specs = config.select(request).map_err(|bad| bad.0)?;
    Ok(specs.into_iter().next().unwrap())
}

/// As the journal has it.
fn kept(spec: &SinkSpec) -> (String, SinkSpec) {
    let text = serde_json::to_string(spec).unwrap();
    let read = serde_json::from_str(&text).unwrap();
    (text, read)
}

const HEADERS: &str = "[sink.publish]\nurl = \"http://h/\"\nheaders = { Accept = \"json\", Authorization = \"Bearer ${T}\", Cookie = \"plain-cookie\", X = [\"$${a}\", \"file:x\"] }\n";

#[test]
fn the_sink_gets_what_the_journal_does_not() {
    let folder = folder(HEADERS);
    std::fs::write(folder.path().join("x"), "from-a-file\n").unwrap();
    let config = config(&folder, &[("T", "from-the-environment")]);
    let spec = spec(&config, &publish(&["publish.api-key=from-a-flag"])).unwrap();
    let settings: serde_json::Value = serde_json::from_str(&spec.settings_json()).unwrap();
    assert_eq!(
        settings,
        serde_json::json!({
            "url": "http://h/", "api-key": "from-a-flag",
            "headers": {"Accept": "json", "Authorization": "Bearer from-the-environment", "Cookie": "plain-cookie", "X": ["${a}", "from-a-file"]},
        })
    );
    let (text, read) = kept(&spec);
    for secret in [
        "from-the-environment",
        "plain-cookie",
        "from-a-file",
        "from-a-flag",
    ] {
        assert!(!text.contains(secret), "{secret} is in {text}");
        assert!(!format!("{spec:?}{config:?}").contains(secret), "{secret}");
        assert_eq!(crate::secrets::scrub(secret), "[redacted]");
    }
    assert!(text.contains("Bearer ${T}") && text.contains("file:x") && text.contains("json"));
    assert_eq!(read.to_be_given_again(), ["publish.api-key"]);

    let mut again = config.clone();
    again
        .set(&["publish.api-key=from-a-flag".into()], "--set")
        .unwrap();
    assert_eq!(
        read.restored(&again).unwrap().settings_json(),
        spec.settings_json()
    );
    assert_eq!(
        read.restored(&config).unwrap_err().to_string(),
        "publish.api-key: is secret, so it is not kept with the run, and no longer to be found (it was from --set publish.api-key); give it again with --set publish.api-key=…"
    );
}

#[test]
fn secrets_are_looked_up_as_they_are_now() {
    let folder = folder(HEADERS);
    std::fs::write(folder.path().join("x"), "one-value").unwrap();
    let first = config(&folder, &[("T", "one-value")]);
    let (_, read) = kept(&spec(&first, &publish(&[])).unwrap());
    std::fs::write(folder.path().join("x"), "other-value").unwrap();
    let text = HEADERS.replace("plain-cookie", "other-cookie");
    std::fs::write(folder.path().join("host.toml"), text).unwrap();
    let restored = read
        .restored(&config(&folder, &[("T", "other-value")]))
        .unwrap();
    let json = restored.settings_json();
    assert!(
        json.contains("Bearer other-value") && json.contains("other-cookie"),
        "{json}"
    );
    assert!(
        !json.contains("one-value") && !json.contains("plain-cookie"),
        "{json}"
    );

    let gone = config(&folder, &[]);
    let problem = read.restored(&gone).unwrap_err().to_string();
    assert_eq!(
        problem,
        "host.toml:3: publish.headers.Authorization: the environment variable T is not set"
    );
    let mut given = gone;
    let flag = "publish.headers.Authorization=Basic given".to_owned();
    given.set(&[flag], "--set").unwrap();
    let json = read.restored(&given).unwrap().settings_json();
    assert!(json.contains("Basic given"), "{json}");
}

#[test]
fn each_part_of_a_table_is_from_its_own_place() {
    let folder = folder("[sink.publish]\nheaders = { A = \"file:a\" }\n");
    std::fs::write(folder.path().join("a"), "beside-the-file").unwrap();
    let below = folder.path().join("below");
    std::fs::create_dir(&below).unwrap();
    std::fs::write(below.join("a"), "beside-the-flag").unwrap();
    let config = Config::load(&below, []).unwrap();
    let spec = spec(&config, &publish(&["publish.headers.B=file:a"])).unwrap();
    let headers = &spec.settings["headers"].value;
    assert_eq!(headers["A"], "beside-the-file");
    assert_eq!(headers["B"], "beside-the-flag");
}

#[test]
fn a_password_in_a_url_is_a_secret() {
    let folder = folder("");
    let config = config(&folder, &[]);
    let spec = spec(&config, &publish(&["publish.url=http://me:hushhush@h/p"])).unwrap();
    let (text, read) = kept(&spec);
    assert!(!text.contains("hushhush"), "{text}");
    assert_eq!(read.to_be_given_again(), ["publish.url"]);
    assert_eq!(
        crate::secrets::scrub("no http://me:hushhush@h/ there"),
        "no http://[redacted]@h/ there"
    );
}

#[test]
fn options_of_other_plugins_are_taken_as_they_are() {
    let folder = folder("");
    let config = config(&folder, &[]);
    let settings = serde_json::from_str(r#"{"publish": {"url": "${X}", "custom": "file:x"}}"#);
    let request = Request {
        settings: settings.unwrap(),
        ..publish(&[])
    };
    let json = spec(&config, &request).unwrap().settings_json();
    assert_eq!(json, r#"{"custom":"file:x","url":"${X}"}"#);
}

#[test]
fn a_reference_that_leads_nowhere_is_bad_input_where_it_is_used() {
    let text = "[sink.publish]\nurl = \"http://h/\"\nheaders.Authorization = \"${NOPE}\"\n[sink.rt]\nurl = \"file:nope\"\n";
    let folder = folder(text);
    let config = config(&folder, &[]);
    let problem = |request: &Request| {
        let shown = format!("{}/", folder.path().display());
        spec(&config, request).unwrap_err().replace(&shown, "")
    };
    insta::assert_snapshot!(problem(&publish(&[])), @"host.toml:3: publish.headers.Authorization: the environment variable NOPE is not set");
    insta::assert_snapshot!(problem(&publish(&["publish.headers.Authorization=${"])), @"--set publish.headers.Authorization: a variable is written ${NAME}; for the characters themselves write $${");
    let rt = Request {
        sinks: Some(vec!["rt".into()]),
        ..Request::default()
    };
    insta::assert_snapshot!(problem(&rt), @"host.toml:5: rt.url: nope: cannot be read: No such file or directory (os error 2)");
    let pubdir = Request {
        sinks: Some(vec!["pubdir".into()]),
        ..Request::default()
    };
    assert!(spec(&config, &pubdir).is_ok());
}

#[test]
fn a_value_is_not_shown_where_its_flag_is_wrong() {
    let folder = folder("");
    let config = config(&folder, &[]);
    let problem = spec(&config, &publish(&["token=hushhush"])).unwrap_err();
    assert!(
        problem.starts_with("--set token=…: should be sink.key=value"),
        "{problem}"
    );
}

#[test]
fn what_was_kept_before_there_were_secrets_is_taken_as_it_is() {
    let kept = r#"{"value":"${X}","origin":{"Flag":"--set a.token"}}"#;
    let setting: Setting = serde_json::from_str(kept).unwrap();
    assert_eq!(setting.value, "${X}");
    assert_eq!(serde_json::to_string(&setting).unwrap(), kept);
}
