//! Processes that do not end as they should, or print more than they should.

use super::*;
use crate::intake::is_running;

#[tokio::test]
async fn more_and_more_firmly() {
    let bench = Bench::new();
    let jobs = bench.open();
    let each = "echo up; while :; do sleep 0.01; done";
    for (id, trap, code) in [
        ("int", "", -2),
        ("term", "trap '' INT;", -15),
        ("kill", "trap '' INT TERM;", -9),
    ] {
        jobs.create(sh(id, &format!("{trap} {each}")))
            .await
            .unwrap();
        until("output", async || {
            jobs.output(id).unwrap().length().await.unwrap() > 0
        })
        .await;
        let stopped = jobs.act(id, Action::Stop).await.unwrap();
        assert_eq!(
            (stopped.state, stopped.returncode),
            (State::Done, Some(code)),
            "{id}"
        );
    }
}

#[tokio::test]
async fn what_descends_from_a_job_ends_with_it() {
    let bench = Bench::new();
    let jobs = bench.open();
    // One in its group, one in a session of its own, one whose parent has ended.
    let line = "
        trap '' INT TERM
        sh -c 'echo $$ > group; exec sleep 600' &
        setsid sh -c 'echo $$ > session; exec sleep 600' &
        (setsid sh -c 'trap \"\" TERM; echo $$ > orphan; sleep 600; sleep 600' &)
        trap 'exit 2' INT
        while :; do sleep 0.01; done";
    jobs.create(sh("family", line)).await.unwrap();
    let mut pids = Vec::new();
    for name in ["group", "session", "orphan"] {
        pids.push(pid_in(&bench.path(name)).await);
    }
    let stopped = jobs.act("family", Action::Stop).await.unwrap();
    assert_eq!(stopped.returncode, Some(2));
    if cfg!(target_os = "linux") {
        assert!(!pids.iter().any(|pid| is_running(*pid)), "{pids:?}");
    }
}

#[tokio::test]
async fn whoever_holds_the_pipe_open_does_not_keep_a_job_from_ending() {
    let bench = Bench::new();
    let jobs = bench.open();
    jobs.create(sh("h", "sh -c 'echo $$ > pid; exec sleep 600' & while ! test -s pid; do sleep 0.01; done; echo over")).await.unwrap();
    let job = until_final(&jobs, "h").await;
    assert_eq!(
        (job.returncode, job.text.as_deref()),
        (Some(0), Some("over\n"))
    );
    let pid = pid_in(&bench.path("pid")).await;
    assert!(is_running(pid), "nobody has stopped it");
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn two_hundred_megabytes_are_cut() {
    let bench = Bench::new();
    let jobs = bench.open();
    let line = "echo begin; head -c 200000000 /dev/zero; echo; echo end";
    jobs.create(sh("big", line)).await.unwrap();
    let job = until_final(&jobs, "big").await;
    assert_eq!(job.returncode, Some(0));
    let text = job.text.unwrap();
    assert!(text.len() < (1 << 20) + 200, "{}", text.len());
    assert!(text.starts_with("begin\n\0") && text.ends_with("\0\nend\n"));
    assert!(text.contains(" that nobody kept: host job logs big]\n"));
    let mut output = jobs.output("big").unwrap();
    assert_eq!(output.length().await.unwrap(), 200_000_011);
    let (mut kept, mut left_out) = (0, 0);
    while let Some(chunk) = output.next().await.unwrap() {
        kept += chunk.bytes.len() as u64;
        left_out += chunk.left_out;
    }
    assert_eq!(kept + left_out, 200_000_011);
    assert!(kept <= OUTPUT && kept > OUTPUT * 3 / 4, "{kept}");
    let disk = crate::state::prune::bytes_of(&bench.settings.folder);
    assert!(disk < OUTPUT + (64 << 10), "{disk}");
}

#[tokio::test]
async fn output_is_read_while_it_comes() {
    let mut bench = Bench::new();
    bench.settings.max_jobs = 1;
    let jobs = bench.open();
    let step = |file: &str| format!("while ! test -e {file}; do sleep 0.01; done;");
    let first = format!("echo one; {} echo two", step("go"));
    jobs.create(sh("a", &first)).await.unwrap();
    jobs.create(sh("b", "echo three")).await.unwrap();
    let mut output = jobs.output("a").unwrap();
    let mut waiting = jobs.output("b").unwrap();
    let chunk = output.next().await.unwrap().unwrap();
    assert_eq!(
        (chunk.offset, chunk.left_out, &chunk.bytes[..]),
        (0, 0, &b"one\n"[..])
    );
    assert!(!output.is_whole() && output.read(9).await.unwrap().is_none());
    std::fs::write(bench.path("go"), "").unwrap();
    let chunk = output.next().await.unwrap().unwrap();
    assert_eq!((chunk.offset, &chunk.bytes[..]), (4, &b"two\n"[..]));
    assert_eq!(output.next().await.unwrap(), None);
    // One that waits for its turn is followed from there on.
    assert_eq!(
        &waiting.next().await.unwrap().unwrap().bytes[..],
        b"three\n"
    );
    assert_eq!(waiting.next().await.unwrap(), None);
    assert!(waiting.is_whole());
    output.seek(2);
    let chunk = output.read(3).await.unwrap().unwrap();
    assert_eq!((chunk.offset, &chunk.bytes[..]), (2, &b"e\nt"[..]));
    output.seek(8);
    assert_eq!(output.read(1).await.unwrap(), None);
    assert!(jobs.output("no").is_err());
}
