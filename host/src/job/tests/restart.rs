//! A host is started again.

use super::*;

/// What the shim's parent sees of it; the test binary runs as it.
async fn shim_of(bench: &Bench, id: &str) -> rustix::process::Pid {
    let run = bench.settings.folder.join(id).join("run-1");
    let find = || {
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let mut pids = entries.filter_map(|entry| {
            let line = std::fs::read(entry.path().join("cmdline")).ok()?;
            let ends = line.ends_with(format!("{}\0", run.display()).as_bytes());
            ends.then(|| entry.file_name().to_str()?.parse().ok())
                .flatten()
        });
        pids.next()
    };
    until("a shim", async || find().is_some()).await;
    rustix::process::Pid::from_raw(find().unwrap()).unwrap()
}

#[tokio::test]
async fn jobs_that_ran_and_waited_go_on() {
    let mut bench = Bench::new();
    bench.settings.max_jobs = 2;
    let jobs = bench.open();
    let held = Jobs::open(bench.settings.clone()).unwrap_err();
    assert_eq!(held.to_string(), "another host runs the jobs here");
    jobs.create(sh("ended", "echo before")).await.unwrap();
    until_final(&jobs, "ended").await;
    let wait = "echo up; while ! test -e go; do sleep 0.01; done; echo on; exit 5";
    jobs.create(sh("long", wait)).await.unwrap();
    jobs.create(sh(
        "meanwhile",
        "while ! test -e first; do sleep 0.01; done; exit 6",
    ))
    .await
    .unwrap();
    jobs.create(sh("next", "exit 7")).await.unwrap();
    drop(jobs);
    // While no host is there.
    std::fs::write(bench.path("first"), "").unwrap();
    let exit = bench.settings.folder.join("meanwhile/run-1/exit.json");
    until("an exit", async || exit.exists()).await;

    let jobs = bench.open();
    let states: Vec<(String, State)> = jobs
        .list()
        .await
        .unwrap()
        .into_iter()
        .map(|job| (job.id, job.state))
        .collect();
    let names: Vec<&str> = states.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(names, ["ended", "long", "meanwhile", "next"]);
    assert_eq!(until_final(&jobs, "meanwhile").await.returncode, Some(6));
    assert_eq!(until_final(&jobs, "next").await.returncode, Some(7));
    assert_eq!(jobs.get("long").await.unwrap().state, State::InProgress);
    let mut output = jobs.output("long").unwrap();
    assert_eq!(&output.next().await.unwrap().unwrap().bytes[..], b"up\n");
    std::fs::write(bench.path("go"), "").unwrap();
    assert_eq!(&output.next().await.unwrap().unwrap().bytes[..], b"on\n");
    let job = until_final(&jobs, "long").await;
    assert_eq!(
        (job.returncode, job.text.as_deref()),
        (Some(5), Some("up\non\n"))
    );
    assert_eq!(
        jobs.get("ended").await.unwrap().text.as_deref(),
        Some("before\n")
    );
}

#[tokio::test]
async fn a_job_is_stopped_by_the_next_host() {
    let bench = Bench::new();
    let jobs = bench.open();
    jobs.create(sh("long", "exec sleep 60")).await.unwrap();
    shim_of(&bench, "long").await;
    drop(jobs);
    let jobs = bench.open();
    let stopped = jobs.act("long", Action::Stop).await.unwrap();
    assert_eq!((stopped.state, stopped.returncode), (State::Done, Some(-2)));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_job_whose_shim_is_gone_is_done_and_says_so() {
    for restart in [false, true] {
        let bench = Bench::new();
        let jobs = bench.open();
        jobs.create(sh("lost", "echo $$ > pid; exec sleep 600"))
            .await
            .unwrap();
        let pid = pid_in(&bench.path("pid")).await;
        let shim = shim_of(&bench, "lost").await;
        let jobs = if restart {
            drop(jobs);
            None
        } else {
            Some(jobs)
        };
        rustix::process::kill_process(shim, rustix::process::Signal::KILL).unwrap();
        let jobs = jobs.unwrap_or_else(|| bench.open());
        let job = until_final(&jobs, "lost").await;
        assert_eq!((job.state, job.returncode), (State::Done, None));
        assert_eq!(
            job.text.as_deref(),
            Some(
                "host: nobody knows how it ended: what ran it was killed, or the machine was started again\n"
            )
        );
        let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
}

#[tokio::test]
async fn a_job_that_was_removed_stays_so() {
    let bench = Bench::new();
    let jobs = bench.open();
    jobs.create(sh("r", "while ! test -e go; do sleep 0.01; done"))
        .await
        .unwrap();
    jobs.remove("r").await.unwrap();
    drop(jobs);
    let jobs = bench.open();
    assert!(jobs.list().await.unwrap().is_empty());
    let mut receiver = jobs.messages();
    std::fs::write(bench.path("go"), "").unwrap();
    assert_eq!(messages(&mut receiver, "r").await, ["r done 0 \"\""]);
    until("its folder goes", async || {
        !bench.settings.folder.join("r").exists()
    })
    .await;
}

#[tokio::test]
async fn a_folder_that_is_no_job_is_left_alone() {
    let bench = Bench::new();
    drop(bench.open());
    let odd = bench.settings.folder.join("odd");
    std::fs::create_dir(&odd).unwrap();
    std::fs::write(odd.join("job.json"), "{").unwrap();
    let jobs = bench.open();
    assert!(jobs.list().await.unwrap().is_empty());
    assert!(odd.exists());
    let job = jobs.create(sh("odd", "true")).await.unwrap();
    assert_eq!(job.state, State::InProgress);
    until_final(&jobs, "odd").await;
}
