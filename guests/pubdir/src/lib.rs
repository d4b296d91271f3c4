//! The sink `pubdir`: one folder of text files for every test result.
//!
//! | file | for |
//! |---|---|
//! | `names.rs` | which folder a test's results go to |
//! | `pages.rs` | what the files say |
//! | `tree.rs` | how a result gets there once, whole, and beside those of other runs |
//! | `workbench.rs` | what a session has put there already, and the draft of what comes next |
//! | `files.rs` | the file operations all that is made of |

mod files;
mod names;
mod pages;
mod settings;
mod tree;
mod workbench;

use std::io;

use pytest_host_results::{Results, TestResult};
use pytest_host_sdk::{
    Envelope, Misconfiguration, Need, Opening, Refusal, Session, Sink, Undone,
    delivery::{Tried, deliver},
    state::HostState,
};

use files::Disk;
use settings::{Filter, Settings};
use tree::{Entry, Tree};

pytest_host_sdk::export!(Pubdir);

/// How long to wait after an error of the file system: a full disk is not emptied in a second.
const RETRY_AFTER: f64 = 5.0;

struct Pubdir {
    filter: Filter,
    results: Results<HostState>,
    tree: Tree<Disk>,
}

impl Sink for Pubdir {
    type Settings = Settings;

    fn configure(settings: &Settings) -> Result<Vec<Need>, Misconfiguration> {
        settings.check()?;
        Ok(vec![Need::Write(settings.dir.clone())])
    }

    fn open(settings: &Settings, session: Session, why: Opening) -> Result<Self, String> {
        Ok(Self {
            filter: settings.filter,
            results: Results::new(&session, why, HostState),
            tree: Tree::new(Disk, settings.folder(), &session.id),
        })
    }

    fn handle(&mut self, batch: Vec<Envelope>) -> Vec<Undone> {
        let Self {
            filter,
            results,
            tree,
        } = self;
        deliver(results, batch, 1, |parcels| {
            Tried::Each(
                parcels
                    .iter()
                    .map(|parcel| {
                        let written = write(tree, *filter, parcel.seq, &parcel.item);
                        written.err().map(refusal)
                    })
                    .collect(),
            )
        })
    }

    fn close(&mut self) -> Result<(), String> {
        self.tree.close().map_err(|error| error.to_string())
    }
}

fn write(tree: &mut Tree<Disk>, filter: Filter, seq: u64, result: &TestResult) -> io::Result<()> {
    let entry = Entry {
        seq,
        folder: names::folder(result.xdist_scope.as_deref(), &result.name),
        outcome: result.result,
        pages: filter.keeps(result.result).then(|| pages::of(result)),
    };
    tree.put(&entry)
}

fn refusal(error: io::Error) -> Refusal {
    match error.kind() {
        // Nothing that the user does about the disk will shorten it.
        io::ErrorKind::InvalidFilename => Refusal::Reject(error.to_string()),
        _ => Refusal::Retry((RETRY_AFTER, error.to_string())),
    }
}
