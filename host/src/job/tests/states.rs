//! Every way from state to state, message by message.

use super::*;

#[tokio::test]
async fn a_job_is_created_in_progress_and_done() {
    let bench = Bench::new();
    let jobs = bench.open();
    let mut receiver = jobs.messages();
    let created = jobs
        .create(sh("a b", "echo out; echo err >&2; exit 3"))
        .await
        .unwrap();
    assert_eq!(
        (created.state, created.returncode, created.text),
        (State::InProgress, None, None)
    );
    insta::assert_debug_snapshot!(messages(&mut receiver, "a b").await, @r#"
    [
        "a b created - -",
        "a b in-progress - -",
        "a b done 3 \"out\\nerr\\n\"",
    ]
    "#);
    let job = jobs.get("a b").await.unwrap();
    assert_eq!(
        (job.state, job.returncode, job.text.as_deref()),
        (State::Done, Some(3), Some("out\nerr\n"))
    );
    assert_eq!(jobs.list().await.unwrap(), std::slice::from_ref(&job));
    for action in [Action::Start, Action::Stop] {
        assert_eq!(jobs.act("a b", action).await.unwrap(), job);
    }
    assert!(receiver.is_empty());
}

#[tokio::test]
async fn what_was_collected_is_started() {
    let bench = Bench::new();
    let jobs = bench.open();
    let mut receiver = jobs.messages();
    let new = NewJob {
        collect_only: true,
        ..sh(
            "c",
            "test -e second && echo ran && exit 1; touch second; echo collected",
        )
    };
    let collected = jobs.create(new).await.unwrap();
    assert_eq!(jobs.act("c", Action::Stop).await.unwrap(), collected);
    let started = jobs.act("c", Action::Start).await.unwrap();
    let old = Job {
        state: State::InProgress,
        ..collected.clone()
    };
    assert_eq!(started, old, "with what collecting has said");
    let mut told = messages(&mut receiver, "c").await;
    told.extend(messages(&mut receiver, "c").await);
    insta::assert_debug_snapshot!(told, @r#"
    [
        "c collected 0 \"collected\\n\"",
        "c in-progress 0 \"collected\\n\"",
        "c done 1 \"ran\\n\"",
    ]
    "#);
    assert_eq!(jobs.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_job_that_runs_is_stopped() {
    let bench = Bench::new();
    let jobs = bench.open();
    let mut receiver = jobs.messages();
    jobs.create(sh(
        "s",
        "trap 'echo clean; exit 2' INT; echo up; while :; do sleep 0.01; done",
    ))
    .await
    .unwrap();
    until("output", async || {
        jobs.output("s").unwrap().length().await.unwrap() > 0
    })
    .await;
    assert_eq!(
        jobs.act("s", Action::Start).await.unwrap().state,
        State::InProgress
    );
    let stopped = jobs.act("s", Action::Stop).await.unwrap();
    assert_eq!((stopped.state, stopped.returncode), (State::Done, Some(2)));
    insta::assert_debug_snapshot!(messages(&mut receiver, "s").await, @r#"
    [
        "s created - -",
        "s in-progress - -",
        "s terminating - -",
        "s done 2 \"up\\nclean\\n\"",
    ]
    "#);
}

#[tokio::test]
async fn a_job_that_collects_is_stopped() {
    let bench = Bench::new();
    let jobs = bench.open();
    let mut receiver = jobs.messages();
    let new = NewJob {
        collect_only: true,
        ..sh("c", "exec sleep 60")
    };
    let creating = tokio::spawn({
        let jobs = jobs.clone();
        async move { jobs.create(new).await }
    });
    until("it is seen", async || jobs.get("c").await.is_ok()).await;
    assert_eq!(jobs.get("c").await.unwrap().state, State::Created);
    let stopped = jobs.act("c", Action::Stop).await.unwrap();
    assert_eq!(
        (stopped.state, stopped.returncode),
        (State::Collected, Some(-2))
    );
    assert_eq!(creating.await.unwrap().unwrap(), stopped);
    insta::assert_debug_snapshot!(messages(&mut receiver, "c").await, @r#"
    [
        "c terminating - -",
        "c collected -2 \"\"",
    ]
    "#);
}

#[tokio::test]
async fn a_job_that_waits_is_stopped_before_it_ran() {
    let mut bench = Bench::new();
    bench.settings.max_jobs = 1;
    let jobs = bench.open();
    jobs.create(sh("first", "exec sleep 60")).await.unwrap();
    let mut receiver = jobs.messages();
    let waiting = jobs.create(sh("second", "true")).await.unwrap();
    assert_eq!(waiting.state, State::Created);
    assert_eq!(
        jobs.act("second", Action::Start).await.unwrap(),
        waiting,
        "it will be"
    );
    jobs.act("second", Action::Stop).await.unwrap();
    insta::assert_debug_snapshot!(messages(&mut receiver, "second").await, @r#"
    [
        "second created - -",
        "second done - \"host: it was stopped before it ran\\n\"",
    ]
    "#);
    jobs.act("first", Action::Stop).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_run_is_done_and_says_why() {
    let mut bench = Bench::new();
    bench.settings.interpreter = "/no/such/python".into();
    let jobs = bench.open();
    let mut receiver = jobs.messages();
    jobs.create(sh("a", "true")).await.unwrap();
    let mut told = messages(&mut receiver, "a").await;
    let collect = NewJob {
        collect_only: true,
        ..sh("c", "true")
    };
    assert_eq!(jobs.create(collect).await.unwrap().state, State::Done);
    told.extend(messages(&mut receiver, "c").await);
    insta::assert_debug_snapshot!(told, @r#"
    [
        "a created - -",
        "a in-progress - -",
        "a done - \"host: /no/such/python cannot be run: No such file or directory (os error 2)\\n\"",
        "c done - \"host: /no/such/python cannot be run: No such file or directory (os error 2)\\n\"",
    ]
    "#);
}

#[tokio::test]
async fn a_job_that_is_removed_runs_to_its_end() {
    let bench = Bench::new();
    let jobs = bench.open();
    let mut receiver = jobs.messages();
    jobs.create(sh(
        "r",
        "while ! test -e go; do sleep 0.01; done; touch went",
    ))
    .await
    .unwrap();
    jobs.remove("r").await.unwrap();
    let error = jobs.get("r").await.unwrap_err();
    assert_eq!(error.to_string(), "Job with ID 'r' found");
    assert!(jobs.list().await.unwrap().is_empty());
    jobs.create(sh("r", "true")).await.unwrap();
    messages(&mut receiver, "r").await;
    std::fs::write(bench.path("go"), "").unwrap();
    let told = messages(&mut receiver, "r").await;
    assert_eq!(told, ["r done 0 \"\""], "the first one");
    assert!(bench.path("went").exists());
    jobs.remove_all().await.unwrap();
    let left: Vec<_> = std::fs::read_dir(&bench.settings.folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["lock"]);
}

#[tokio::test]
async fn an_id_is_a_jobs_own() {
    let bench = Bench::new();
    let jobs = bench.open();
    jobs.create(sh("x", "exec sleep 60")).await.unwrap();
    let by_argument = |arg: &str| NewJob {
        id: None,
        args: vec!["true".into(), arg.into()],
        ..NewJob::default()
    };
    for (new, says) in [
        (sh("x", "true"), "Job with ID x already exists"),
        (
            by_argument("--session-id=x"),
            "Job with ID x already exists",
        ),
        (
            NewJob {
                id: Some("A".into()),
                ..by_argument("--session-id=B")
            },
            "The provided job ID 'A' does not match the session ID 'B' provided in the job's argument list.",
        ),
        (
            sh("..", "true"),
            "Value error, an id cannot be \".\" or \"..\"",
        ),
        (
            sh(&"x".repeat(1001), "true"),
            "Value error, an id has at most 1000 characters",
        ),
        (
            sh("\0", "true"),
            "Value error, an id cannot have a NUL character",
        ),
    ] {
        assert_eq!(jobs.create(new).await.unwrap_err().to_string(), says);
    }
    assert_eq!(jobs.list().await.unwrap().len(), 1);
    jobs.act("x", Action::Stop).await.unwrap();
    // One that has ended is replaced, as with pytest-relay-run.
    jobs.create(by_argument("--session-id=x")).await.unwrap();
    assert_eq!(until_final(&jobs, "x").await.returncode, Some(0));
    assert_eq!(jobs.list().await.unwrap().len(), 1);
    for id in ["", "a/b c", "é\n"] {
        jobs.create(sh(id, "printf %s \"$PYTEST_HOST_JOB\""))
            .await
            .unwrap();
        assert_eq!(until_final(&jobs, id).await.text.as_deref(), Some(id));
    }
    let made_up = jobs.create(by_argument("x")).await.unwrap().id;
    assert_eq!(
        uuid::Uuid::parse_str(&made_up).unwrap().to_string(),
        made_up
    );
}

#[tokio::test]
async fn a_job_gets_what_it_is_given() {
    let mut bench = Bench::new();
    let cwd = bench.path("inner");
    std::fs::create_dir(&cwd).unwrap();
    bench
        .settings
        .allow
        .directories
        .push(bench.settings.directory.clone());
    bench.settings.allow.environment.push("CI_*".into());
    let jobs = bench.open();
    let args = [
        "printf",
        "%s\\n",
        "a b",
        "it's \"x\"[1]",
        "",
        "$HOME",
        "--co",
    ];
    let new = NewJob {
        id: Some("odd".into()),
        args: args.map(str::to_owned).to_vec(),
        ..NewJob::default()
    };
    jobs.create(new).await.unwrap();
    assert_eq!(
        until_final(&jobs, "odd").await.text.as_deref(),
        Some("a b\nit's \"x\"[1]\n\n$HOME\n--co\n")
    );
    let line = "pwd; env | grep -E '^(PYTEST_HOST|CI_)' | sort; readlink /proc/self/fd/0; cat";
    let new = NewJob {
        cwd: Some("inner".into()),
        env: [("CI_X".to_owned(), "1 2".to_owned())].into(),
        ..sh("e", line)
    };
    jobs.create(new).await.unwrap();
    let text = until_final(&jobs, "e").await.text.unwrap();
    let address = bench.settings.address.display();
    let cwd = cwd.canonicalize().unwrap();
    let cwd = cwd.display();
    assert_eq!(
        text,
        format!("{cwd}\nCI_X=1 2\nPYTEST_HOST_ADDRESS={address}\nPYTEST_HOST_JOB=e\n/dev/null\n")
    );
    let refused = NewJob {
        cwd: Some("/".into()),
        ..sh("no", "true")
    };
    assert!(matches!(
        jobs.create(refused).await,
        Err(JobError::Forbidden(_))
    ));
    let split = NewJob {
        args: vec!["printf '%s,' 'a b'".into(), "c d".into()],
        split_args: true,
        ..sh("w", "")
    };
    jobs.create(split).await.unwrap();
    assert_eq!(
        until_final(&jobs, "w").await.text.as_deref(),
        Some("a b,c,d,")
    );
}
