use super::*;
use crate::guest::bindings::events::{Envelope, Event};
use crate::guest::capability::Denials;

const QUICK: Duration = Duration::from_millis(50);

fn limits() -> Limits {
    Limits {
        computing: QUICK,
        ..Limits::default()
    }
}

/// The text of a fixture: a sink with one bad behaviour.
fn hostile(name: &str) -> String {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/fixtures/guests/hostile"
    );
    std::fs::read_to_string(format!("{folder}/{name}.wat")).unwrap()
}

async fn start(fields: &str, limits: &Limits) -> Result<Instance, CallError> {
    let http = HttpGate::new(Arc::default(), Denials::new("test"));
    let log = Arc::new(LogBudget::new(limits.log));
    Instance::start(
        &Module::from_text(fields),
        limits,
        BTreeMap::new(),
        log,
        http,
    )
    .await
}

fn session() -> Session {
    Session {
        id: "run".into(),
        rootdir: String::new(),
        invocation_dir: String::new(),
        args: vec![],
        started: 0.0,
        pytest_version: String::new(),
        python_version: String::new(),
        python_prefixes: (String::new(), String::new()),
        hostname: String::new(),
        pid: 1,
        dist: None,
        labels: vec![],
    }
}

fn batch() -> Vec<Envelope> {
    vec![Envelope {
        seq: 7,
        time: 0.0,
        worker: None,
        event: Event::Interrupted("now".into()),
    }]
}

/// Every call in turn, until one fails.
async fn all_calls(fields: &str, limits: &Limits) -> Result<Vec<Undone>, CallError> {
    let mut instance = start(fields, limits).await?;
    instance.configure("{}").await?.unwrap();
    instance.open(&session(), Opening::Fresh).await?.unwrap();
    let undone = instance.handle(&batch()).await?;
    instance.close().await?.unwrap();
    Ok(undone)
}

#[tokio::test]
async fn nothing_is_wrong_with_a_sink_that_does_nothing() {
    assert_eq!(all_calls("", &limits()).await, Ok(vec![]));
    let endless = Limits {
        computing: Duration::MAX,
        call: Duration::MAX,
        ..limits()
    };
    assert_eq!(all_calls("", &endless).await, Ok(vec![]));
}

#[tokio::test]
async fn computing_ends_in_every_call() {
    for call in ["configure", "open", "handle", "close"] {
        let ended = all_calls(&hostile(&format!("loops-in-{call}")), &limits()).await;
        assert_eq!(ended, Err(CallError::Computing(QUICK)), "{call}");
    }
    // While the module is instantiated, too.
    let starting = "(func $loops (loop $again (br $again))) (start $loops)";
    let ended = all_calls(starting, &limits()).await;
    assert_eq!(ended, Err(CallError::Computing(QUICK)));
}

#[tokio::test]
async fn a_call_ends_by_the_clock_whatever_it_does() {
    let limits = Limits {
        computing: Duration::from_secs(60),
        call: QUICK,
        ..Limits::default()
    };
    for name in ["loops-in-handle", "calls-forever"] {
        let ended = all_calls(&hostile(name), &limits).await;
        assert_eq!(ended, Err(CallError::Call(QUICK)), "{name}");
    }
}

#[tokio::test]
async fn memory_ends() {
    let limits = limits();
    let most = Err(CallError::Memory(limits.memory));
    assert_eq!(all_calls(&hostile("bombs-memory"), &limits).await, most);
    assert_eq!(all_calls(&hostile("many-memories"), &limits).await, most);
    let more = Limits {
        memory: 128 << 20,
        ..limits
    };
    let enough = all_calls(&hostile("many-memories"), &more).await;
    assert_eq!(enough, Ok(vec![]));
}

#[tokio::test]
async fn an_instance_that_got_over_a_refusal_is_not_blamed_for_it() {
    let fields = r#"
        (func (export "pytest-host:sinks/sink@0.1.0#open") (param i32) (result i32)
          (drop (memory.grow (i32.const 60000)))
          (i32.const 0))
        (func (export "pytest-host:sinks/sink@0.1.0#close") (result i32) (unreachable))"#;
    let ended = all_calls(fields, &limits()).await;
    assert!(
        matches!(&ended, Err(CallError::Trap(why)) if why.contains("unreachable")),
        "{ended:?}"
    );
}

#[tokio::test]
async fn tables_end() {
    let ended = all_calls(&hostile("many-tables"), &limits()).await;
    assert_eq!(ended, Err(CallError::Table));
    let growing = r#"
        (table $table 1 funcref)
        (func (export "pytest-host:sinks/sink@0.1.0#close") (result i32)
          (loop $again
            (br_if $again
              (i32.ne (table.grow $table (ref.null func) (i32.const 1000)) (i32.const -1))))
          (unreachable))"#;
    let ended = all_calls(growing, &limits()).await;
    assert_eq!(ended, Err(CallError::Table));
}

#[tokio::test]
async fn a_number_of_memories_and_tables_is_enough() {
    for (one, what) in [("(memory 0)", "memory"), ("(table 0 funcref)", "table")] {
        let ended = all_calls(&one.repeat(65), &limits()).await;
        assert!(
            matches!(&ended, Err(CallError::Trap(why)) if why.contains(what)),
            "{ended:?}"
        );
    }
}

#[tokio::test]
async fn recursion_traps_and_the_thread_goes_on() {
    let ended = all_calls(&hostile("recurses"), &limits()).await;
    assert!(
        matches!(&ended, Err(CallError::Trap(why)) if why.contains("stack")),
        "{ended:?}"
    );
    assert_eq!(all_calls("", &limits()).await, Ok(vec![]));
}

#[tokio::test]
async fn state_ends() {
    for name in ["keeps-a-gigabyte", "keeps-many-keys"] {
        let ended = all_calls(&hostile(name), &limits()).await;
        assert!(matches!(&ended, Err(CallError::State(_))), "{ended:?}");
    }
}

#[tokio::test]
async fn answers_are_no_larger_than_memory() {
    let ended = all_calls(&hostile("answers-too-much"), &limits()).await;
    assert!(
        matches!(&ended, Err(CallError::Trap(why)) if why.contains("fuel")),
        "{ended:?}"
    );
    let undone = all_calls(&hostile("refuses-others"), &limits()).await;
    assert_eq!(undone.unwrap().len(), 300_000);
}

#[tokio::test]
async fn texts_are_cut() {
    let undone = all_calls(&hostile("rejects-at-length"), &limits()).await;
    let undone = undone.unwrap();
    let [Undone { seq: 7, why }] = undone.as_slice() else {
        panic!("{undone:?}")
    };
    assert!(matches!(why, Refusal::Reject(why) if why.len() < 600 && why.ends_with("x…")));

    let misconfigured = r#"
        (func (export "pytest-host:sinks/sink@0.1.0#configure") (param i32 i32) (result i32)
          (memory.fill (i32.const 65536) (i32.const 120) (i32.const 1000000))
          (i32.store8 (i32.const 16) (i32.const 1))
          (i32.store (i32.const 32) (i32.const 65536))
          (i32.store (i32.const 36) (i32.const 1000000))
          (i32.const 16))"#;
    let mut instance = start(misconfigured, &limits()).await.unwrap();
    let wrong = instance.configure("{}").await.unwrap().unwrap_err();
    assert!((400..600).contains(&wrong.problem.len()), "{wrong:?}");
}

#[tokio::test]
async fn a_sink_that_needs_everything_is_misconfigured() {
    let needs = |count: u32| {
        format!(
            r#"(func (export "pytest-host:sinks/sink@0.1.0#configure") (param i32 i32) (result i32)
                 (i32.store (i32.const 20) (i32.const 65536))
                 (i32.store (i32.const 24) (i32.const {count}))
                 (i32.const 16))"#
        )
    };
    for (count, is_fine) in [(64, true), (65, false)] {
        let mut instance = start(&needs(count), &limits()).await.unwrap();
        let answer = instance.configure("").await.unwrap();
        assert_eq!(answer.is_ok(), is_fine, "{answer:?}");
    }
}

#[test]
fn threads_and_their_memories_are_unknown_here() {
    let shared = wat::parse_str("(component (core module (memory 1 1 shared)))").unwrap();
    let engine = crate::guest::engine::engine().unwrap();
    assert!(wasmtime::component::Component::new(&engine, shared).is_err());
}
