//! Many jobs.

use tokio::sync::broadcast::error::RecvError;

use super::*;

#[tokio::test]
async fn two_hundred_jobs_run_in_their_order_and_a_few_at_once() {
    let mut bench = Bench::new();
    bench.settings.keep_jobs = 150;
    let jobs = bench.open();
    let mut receiver = jobs.messages();
    let mut order = Vec::new();
    let watching = tokio::spawn(async move {
        let (mut running, mut most, mut done) = (0, 0, Vec::new());
        while done.len() < 200 {
            let message = match receiver.recv().await {
                Ok(message) => message,
                Err(error) => panic!("{error}"),
            };
            match message.job().state {
                State::InProgress => {
                    order.push(message.job().id.clone());
                    running += 1;
                    most = most.max(running);
                }
                State::Done => {
                    assert_eq!(message.job().returncode, Some(0));
                    running -= 1;
                    done.push(message.job().id.clone());
                }
                _ => {}
            }
        }
        (order, most, done)
    });
    let ids: Vec<String> = (0..200).map(|nth| format!("j{nth}")).collect();
    for id in &ids {
        jobs.create(NewJob {
            id: Some(id.clone()),
            args: vec!["true".into()],
            ..NewJob::default()
        })
        .await
        .unwrap();
        let (running, _) = jobs.load();
        assert!(running <= 2);
    }
    let (order, most, mut done) = tokio::time::timeout(LONG, watching).await.unwrap().unwrap();
    assert_eq!(order, ids);
    assert_eq!(most, 2);
    let kept = jobs.list().await.unwrap();
    let mut kept: Vec<String> = kept.into_iter().map(|job| job.id).collect();
    let mut last = done.split_off(50);
    kept.sort_unstable();
    last.sort_unstable();
    assert_eq!(kept, last);
    assert_eq!(
        std::fs::read_dir(&bench.settings.folder).unwrap().count(),
        151
    );
}

#[tokio::test]
async fn jobs_that_have_not_ended_are_kept() {
    let mut bench = Bench::new();
    bench.settings.keep_jobs = 1;
    let jobs = bench.open();
    jobs.create(sh("long", "exec sleep 60")).await.unwrap();
    for id in ["a", "b"] {
        jobs.create(sh(id, "true")).await.unwrap();
        until_final(&jobs, id).await;
    }
    let kept = jobs.list().await.unwrap();
    let kept: Vec<&str> = kept.iter().map(|job| job.id.as_str()).collect();
    assert_eq!(kept, ["long", "b"]);
    // The oldest, and yet the one that ended last.
    let stopped = jobs.act("long", Action::Stop).await.unwrap();
    assert_eq!(jobs.list().await.unwrap(), [stopped]);
}

#[tokio::test]
async fn what_was_collected_waits_its_turn_as_it_is() {
    let mut bench = Bench::new();
    bench.settings.max_jobs = 1;
    let jobs = bench.open();
    let collected = jobs
        .create(NewJob {
            collect_only: true,
            ..sh("c", "echo x")
        })
        .await
        .unwrap();
    jobs.create(sh("long", "exec sleep 60")).await.unwrap();
    assert_eq!(jobs.act("c", Action::Start).await.unwrap(), collected);
    assert_eq!(jobs.load(), (1, 1));
    assert_eq!(jobs.act("c", Action::Stop).await.unwrap(), collected);
    assert_eq!(jobs.load(), (1, 0));
    jobs.act("c", Action::Start).await.unwrap();
    jobs.act("long", Action::Stop).await.unwrap();
    until("it ran", async || {
        jobs.get("c").await.unwrap().state == State::Done
    })
    .await;
}

#[tokio::test]
async fn a_reader_that_falls_behind_is_told() {
    let mut bench = Bench::new();
    bench.settings.max_jobs = 0;
    let jobs = bench.open();
    let mut receiver = jobs.messages();
    for nth in 0..300 {
        jobs.create(sh(&nth.to_string(), "true")).await.unwrap();
    }
    assert!(matches!(receiver.recv().await, Err(RecvError::Lagged(44))));
    assert_eq!(receiver.recv().await.unwrap().job().id, "44");
}

#[tokio::test]
async fn no_more_than_a_thousand_jobs_wait() {
    let mut bench = Bench::new();
    bench.settings.max_jobs = 0;
    let jobs = bench.open();
    for nth in 0..1000 {
        jobs.create(sh(&nth.to_string(), "true")).await.unwrap();
    }
    let refused = jobs.create(sh("one more", "true")).await.unwrap_err();
    assert_eq!(refused.to_string(), "1000 jobs wait already");
    jobs.remove("7").await.unwrap();
    jobs.create(sh("one more", "true")).await.unwrap();
}
