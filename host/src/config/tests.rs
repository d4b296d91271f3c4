use super::*;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn load(folder: &tempfile::TempDir) -> Result<Config, BadInput> {
    Config::load(folder.path(), [])
}

fn problem(text: &str) -> String {
    let folder = folder(&[("host.toml", text)]);
    load(&folder)
        .and_then(|config| config.select(&Request::default()))
        .unwrap_err()
        .to_string()
}

fn sinks(names: &[&str]) -> Request {
    Request {
        sinks: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        ..Request::default()
    }
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let folder = folder(&[(
        "host.toml",
        "sinks = [\"publish\"]\n[sink.publish]\nurl = \"http://file\"\ntimeout = 1\nheaders = { A = \"1\" }\n",
    )]);
    let environment = [
        (
            "PYTEST_HOST_SINK__PUBLISH__URL".to_owned(),
            "http://environment".to_owned(),
        ),
        (
            "PYTEST_HOST_SINK__PUBLISH__TIMEOUT".to_owned(),
            "2".to_owned(),
        ),
        ("PYTEST_HOST_ADDRESS".to_owned(), "/somewhere".to_owned()),
        ("HOME".to_owned(), "/".to_owned()),
    ];
    let config = Config::load(folder.path(), environment).unwrap();
    let request = Request {
        set: vec!["publish.timeout=3".into(), "publish.headers.B-C=2 3".into()],
        ..Request::default()
    };
    let spec = config.select(&request).unwrap().remove(0);
    let settings: serde_json::Value = serde_json::from_str(&spec.settings_json()).unwrap();
    assert_eq!(
        settings,
        serde_json::json!({"url": "http://environment", "timeout": 3, "headers": {"A": "1", "B-C": "2 3"}})
    );
}

#[test]
fn the_nearest_file_upward_is_the_one() {
    let folder = folder(&[
        ("host.toml", "sinks = [\"publish\"]"),
        ("a/pyproject.toml", "[tool.other]\nx = 1"),
        (
            "b/pyproject.toml",
            "[tool.pytest-host]\nsinks = [\"pubdir\"]",
        ),
        ("b/c/x", ""),
    ]);
    let config = |name: &str| Config::load(&folder.path().join(name), []).unwrap();
    assert_eq!(config("a").sinks, ["publish"]);
    assert_eq!(config("b/c").sinks, ["pubdir"]);
    assert_eq!(config("b/c").root(), folder.path().join("b"));
}

#[test]
fn paths_are_relative_to_where_they_are_written() {
    let folder = folder(&[
        (
            "host.toml",
            "sinks = [\"pubdir\", \"mine\"]\n[sink.pubdir]\ndir = \"results\"\n[sink.mine]\nmodule = \"m.wasm\"\n",
        ),
        ("tests/x", ""),
    ]);
    let tests = folder.path().join("tests");
    let config = Config::load(&tests, []).unwrap();
    let specs = config.select(&Request::default()).unwrap();
    assert_eq!(specs[0].locate("results"), folder.path().join("results"));
    assert_eq!(
        specs[1].module,
        ModuleSource::File(folder.path().join("m.wasm"))
    );
    let request = Request {
        set: vec!["pubdir.dir=results".into()],
        ..sinks(&["pubdir"])
    };
    assert_eq!(
        config.select(&request).unwrap()[0].locate("results"),
        tests.join("results")
    );
}

#[test]
fn a_path_is_a_sink_named_after_its_file() {
    let folder = folder(&[("x", "")]);
    let config = load(&folder).unwrap();
    let request = Request {
        set: vec!["collector.dir=out".into()],
        ..sinks(&["./sinks/collector.wasm"])
    };
    let spec = config.select(&request).unwrap().remove(0);
    assert_eq!(spec.name, "collector");
    assert_eq!(
        spec.module,
        ModuleSource::File(folder.path().join("sinks/collector.wasm"))
    );
    assert_eq!(spec.settings["dir"].value, "out");
}

#[test]
fn sinks_are_named_once_and_more_can_be_added() {
    let folder = folder(&[("x", "")]);
    let config = load(&folder).unwrap();
    let request = Request {
        extra_sinks: vec!["pubdir".into(), "publish".into()],
        ..sinks(&["publish"])
    };
    let names: Vec<String> = config
        .select(&request)
        .unwrap()
        .into_iter()
        .map(|s| s.name)
        .collect();
    assert_eq!(names, ["publish", "pubdir"]);
}

#[test]
fn limits_and_grants_are_read_and_are_no_settings() {
    let folder = folder(&[(
        "host.toml",
        "sinks = [\"mine\"]\n[sink.mine]\nmodule = \"m.wasm\"\nallow.http = [\"https://a.example\"]\nallow.write = [\"out\"]\n\
         limit.memory = \"128 MiB\"\nlimit.computing = 0.5\non-failure = \"disable\"\nchannel = \"#ci\"\n",
    )]);
    let spec = load(&folder)
        .unwrap()
        .select(&Request::default())
        .unwrap()
        .remove(0);
    assert_eq!(spec.limits.memory, 128 << 20);
    assert_eq!(spec.limits.computing, std::time::Duration::from_millis(500));
    assert_eq!(spec.on_failure, OnFailure::Disable);
    assert_eq!(spec.allow_http, ["https://a.example"]);
    assert_eq!(
        spec.allow_write,
        [("out".to_owned(), folder.path().join("out"))]
    );
    assert_eq!(spec.settings_json(), r##"{"channel":"#ci"}"##);
}

#[test]
fn complaints_name_the_place_the_key_and_what_is_near() {
    insta::assert_snapshot!(problem("sinks = [\"publsh\"]"), @r#"host.toml:1: no sink is named "publsh"; did you mean "publish"?"#);
    insta::assert_snapshot!(problem("sink = 1"), @"host.toml:1: sink should be a table");
    insta::assert_snapshot!(problem("\nsnks = []"), @r#"host.toml:2: unknown key "snks"; did you mean "sinks"?"#);
    insta::assert_snapshot!(problem("sinks = [1]"), @r#"host.toml:1: sinks should be a list of names, such as ["publish", "pubdir"]"#);
    insta::assert_snapshot!(problem("a = \n"), @"host.toml:1: not valid TOML: string values must be quoted, expected literal string");
    insta::assert_snapshot!(problem("[sink.pubdri]\ndir = \"x\""), @r#"host.toml:2: no sink is named "pubdri"; did you mean "pubdir"?"#);
    insta::assert_snapshot!(problem("[sink.publish]\nlimit.memry = 1"), @r#"host.toml:2: unknown key "publish.limit.memry"; did you mean "memory"?"#);
    insta::assert_snapshot!(problem("[sink.publish]\nlimit.memory = \"much\""), @r#"host.toml:2: publish.limit.memory should be a size above 0, such as "128 MiB""#);
    insta::assert_snapshot!(problem("[sink.publish]\nsha256 = \"abc\""), @"host.toml:2: publish.sha256 should be 64 hexadecimal digits");
}

#[test]
fn flags_and_variables_are_complained_of_by_their_names() {
    let folder = folder(&[("x", "")]);
    let config = load(&folder).unwrap();
    let set = |text: &str| {
        let request = Request {
            set: vec![text.into()],
            ..sinks(&["publish"])
        };
        config.select(&request).unwrap_err().to_string()
    };
    insta::assert_snapshot!(set("url"), @"--set url: should be sink.key=value, such as --set publish.url=http://127.0.0.1:7777/");
    insta::assert_snapshot!(set("publish.limit.call=soon"), @r#"--set publish.limit.call: publish.limit.call should be a time above 0, such as "5 s""#);
    insta::assert_snapshot!(config.select(&sinks(&["zzz"])).unwrap_err(), @r#"--sinks: no sink is named "zzz"; known are publish, pubdir, rt, relay, and paths of components and scripts such as ./zzz.wasm and ./zzz.py"#);
    let variable = [("PYTEST_HOST_SNKS".to_owned(), "x".to_owned())];
    insta::assert_snapshot!(Config::load(folder.path(), variable).unwrap_err(), @"PYTEST_HOST_SNKS: unknown variable; the settings are PYTEST_HOST_SINKS, PYTEST_HOST_SINK__<SINK>__<KEY>, PYTEST_HOST_LIMIT__<KEY>, PYTEST_HOST_KEEP__<KEY>, PYTEST_HOST_PAUSE__<KEY> and PYTEST_HOST_SERVE__<KEY>");
}

#[test]
fn values_of_flags_read_as_toml_where_they_do() {
    use assignment::value_of;
    assert_eq!(value_of("8"), serde_json::json!(8));
    assert_eq!(value_of("true"), serde_json::json!(true));
    assert_eq!(value_of("[\"a\", 1]"), serde_json::json!(["a", 1]));
    assert_eq!(value_of("\"8\""), serde_json::json!("8"));
    for text in [
        "http://127.0.0.1:7777/x?y=1#z",
        "results",
        "2026-11-21",
        "a\nb = 1",
        "",
        "it's",
    ] {
        assert_eq!(value_of(text), serde_json::json!(text));
    }
}

#[test]
fn defaults_lose_against_everything() {
    let folder = folder(&[("host.toml", "[sink.publish]\ntimeout = 1\n")]);
    let defaults = Defaults {
        sink: "publish".to_owned(),
        origin: "tests/conftest.py".to_owned(),
        settings: serde_json::from_str(r#"{"url": "http://theirs", "timeout": 9, "nosuch": 1}"#)
            .unwrap(),
    };
    let request = Request {
        option_set: vec!["publish.nosuch=2".into()],
        defaults: vec![defaults],
        ..sinks(&["publish"])
    };
    let spec = load(&folder).unwrap().select(&request).unwrap().remove(0);
    let settings: serde_json::Value = serde_json::from_str(&spec.settings_json()).unwrap();
    assert_eq!(
        settings,
        serde_json::json!({"url": "http://theirs", "timeout": 1, "nosuch": 2})
    );
    assert_eq!(
        spec.settings.get("url").unwrap().origin.to_string(),
        "tests/conftest.py"
    );
}

#[test]
fn the_length_of_texts_is_configured() {
    let text = |text: &str| load(&folder(&[("host.toml", text)])).map(|config| config.text);
    assert_eq!(text(""), Ok(256 << 10));
    assert_eq!(text("limit.text = \"1 MiB\""), Ok(1 << 20));
    assert_eq!(text("[limit]\ntext = 2048\n"), Ok(2048));
    assert_eq!(text("[limit]\n"), Ok(256 << 10));
    for wrong in ["1", "\"9 MiB\"", "\"much\"", "true"] {
        assert_eq!(
            text(&format!("limit.text = {wrong}"))
                .unwrap_err()
                .to_string(),
            "host.toml:1: limit.text should be a size from \"1 KiB\" to \"8 MiB\", such as \"256 KiB\""
        );
    }
    assert_eq!(
        text("limit.txt = 1").unwrap_err().to_string(),
        "host.toml:1: unknown key \"limit.txt\"; did you mean \"limit.text\"?"
    );
    let variable = ("PYTEST_HOST_LIMIT__TEXT".to_owned(), "1 MiB".to_owned());
    let config = Config::load(folder(&[]).path(), [variable]).unwrap();
    assert_eq!(config.text, 1 << 20);
}

#[test]
fn the_size_of_a_journal_is_configured() {
    let size = |text: &str| load(&folder(&[("host.toml", text)])).map(|config| config.journal);
    assert_eq!(size(""), Ok(4 << 30));
    assert_eq!(size("limit.journal = \"20 MiB\""), Ok(20 << 20));
    for wrong in ["1000", "\"much\"", "true"] {
        assert_eq!(
            size(&format!("limit.journal = {wrong}"))
                .unwrap_err()
                .to_string(),
            "host.toml:1: limit.journal should be a size from \"1 MiB\" on, such as \"4 GiB\""
        );
    }
    let variable = ("PYTEST_HOST_LIMIT__JOURNAL".to_owned(), "1 MiB".to_owned());
    let config = Config::load(folder(&[]).path(), [variable]).unwrap();
    assert_eq!(config.journal, 1 << 20);
}

#[test]
fn a_policy_is_a_table_with_a_module() {
    let text = "[pause]\nfiles = false\n[pause.policy]\nmodule = \"p/approver.wasm\"\nlimit.call = \"1 s\"\n[[pause.policy.approve]]\ntask = \"x\"";
    let config = load(&folder(&[("host.toml", text)])).unwrap();
    assert!(!config.pause.files);
    let policy = config.policy().unwrap().unwrap();
    assert_eq!(policy.name, "approver");
    assert_eq!(policy.limits.call.as_secs(), 1);
    assert_eq!(policy.settings_json(), r#"{"approve":[{"task":"x"}]}"#);
    insta::assert_snapshot!(problem("[pause]\nfile = false"), @r#"host.toml:2: unknown key "pause.file"; did you mean "files"?"#);
    insta::assert_snapshot!(problem("[pause]\nfiles = 1"), @"host.toml:2: pause.files should be true or false");
    let without = load(&folder(&[("host.toml", "[pause.policy]\nx = 1")])).unwrap();
    insta::assert_snapshot!(without.policy().unwrap_err(), @r#"host.toml:2: pause.policy names no component: module = "….wasm""#);
}

#[test]
fn what_is_wrong_is_told_in_one_line_whatever_it_names() {
    let bad = Assignment::from_flag("no\nsuch \x1b[31mthing", "--set").unwrap_err();
    assert!(
        bad.to_string()
            .starts_with(r"--set no\nsuch \u{1b}[31mthing: ")
    );
}
