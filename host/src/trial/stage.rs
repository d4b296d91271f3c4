//! Where a sink is played: folders of its own, a recorder, and the limits of a run.

use std::collections::BTreeMap;
use std::sync::Arc;

use tempfile::TempDir;

use super::effects::Effects;
use super::recorder::{Answers, Recorder};
use super::subject::Subject;
use crate::guest::bindings::events::Session;
use crate::guest::bindings::exported::{Need, Opening};
use crate::guest::capability::Denials;
use crate::guest::capability::http::HttpGate;
use crate::guest::capability::log::LogBudget;
use crate::guest::grants::{Access, FolderGrant, Grants, HttpGrant};
use crate::guest::instance::{CallError, Instance};

/// Why a sink cannot be played, or not to the end.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    #[error("no place to try it: {0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Need(String),
    #[error("configure: {0}")]
    Configure(CallError),
    #[error("it does not take its settings any more: {0}")]
    Settings(String),
    #[error("open: {0}")]
    Open(CallError),
    #[error("it does not open: {0}")]
    Refused(String),
    #[error("handle, events {first} to {last}: {error}")]
    Handle {
        first: u64,
        last: u64,
        error: CallError,
    },
    #[error("close: {0}")]
    Close(CallError),
    #[error("it does not close: {0}")]
    NotClosed(String),
}

/// One stage is for one session.
pub struct Stage<'a> {
    subject: &'a Subject,
    folder: TempDir,
    /// The names of folders to write to, in the order of their folders.
    written: Vec<String>,
    recorder: Recorder,
    gate: HttpGate,
    log: Arc<LogBudget>,
}

impl<'a> Stage<'a> {
    /// Everything that the subject needs is granted, in a place of its own.
    ///
    /// # Errors
    ///
    /// Where there is no place, or a need that is none.
    pub async fn new(subject: &'a Subject, answers: Answers) -> Result<Self, StageError> {
        let folder = tempfile::Builder::new()
            .prefix("pytest-host-trial-")
            .tempdir()?;
        let recorder = Recorder::start(answers).await?;
        let mut grants = Grants {
            diverted: Some(recorder.address),
            ..Grants::default()
        };
        let mut written = Vec::new();
        for need in &subject.needs {
            match need {
                Need::Http(text) => {
                    let grant = text.parse::<HttpGrant>();
                    grants.http.push(grant.map_err(|error| {
                        StageError::Need(format!("it asks for HTTP to {error}"))
                    })?);
                }
                Need::Read(name) => grants.folders.push(FolderGrant {
                    guest: name.clone(),
                    host: subject.spec.locate(name),
                    access: Access::Read,
                }),
                Need::Write(name) => {
                    let host = folder.path().join(written.len().to_string());
                    std::fs::create_dir(&host)?;
                    grants.folders.push(FolderGrant {
                        guest: name.clone(),
                        host: host.canonicalize()?,
                        access: Access::Write,
                    });
                    written.push(name.clone());
                }
            }
        }
        Ok(Self {
            subject,
            folder,
            written,
            recorder,
            gate: HttpGate::new(Arc::new(grants), Denials::new(&subject.spec.name)),
            log: Arc::new(LogBudget::new(subject.spec.limits.log)),
        })
    }

    /// An instance that has its settings.
    ///
    /// # Errors
    ///
    /// Where it fails, or refuses.
    pub async fn configured(
        &self,
        values: BTreeMap<String, Vec<u8>>,
    ) -> Result<Instance, StageError> {
        let spec = &self.subject.spec;
        let mut instance = Instance::start(
            &self.subject.module,
            &spec.limits,
            values,
            Arc::clone(&self.log),
            self.gate.clone(),
        )
        .await
        .map_err(StageError::Configure)?;
        let answer = instance.configure(&spec.settings_json()).await;
        answer
            .map_err(StageError::Configure)?
            .map_err(|wrong| StageError::Settings(wrong.problem))?;
        Ok(instance)
    }

    /// An instance that is open.
    ///
    /// # Errors
    ///
    /// Where it fails, or refuses.
    pub async fn opened(
        &self,
        values: BTreeMap<String, Vec<u8>>,
        session: &Session,
        why: Opening,
    ) -> Result<Instance, StageError> {
        let mut instance = self.configured(values).await?;
        open(&mut instance, session, why).await?;
        Ok(instance)
    }

    /// What it has done so far.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read.
    pub fn effects(&self) -> Result<Effects, StageError> {
        let mut effects = Effects {
            sent: self.recorder.sent(),
            ..Effects::default()
        };
        for (index, name) in self.written.iter().enumerate() {
            let folder = self.folder.path().join(index.to_string());
            let files = Effects::files_below(&folder, name)?;
            effects.files.extend(files);
        }
        Ok(effects)
    }

    /// What it was denied, as the log tells of it.
    #[must_use]
    pub fn denied(&self) -> Vec<String> {
        self.gate.denials.all()
    }

    /// Whether lines of its log were left out.
    #[must_use]
    pub fn has_logged_too_much(&self) -> bool {
        self.log.is_over()
    }
}

/// Opens an instance.
///
/// # Errors
///
/// Where it fails, or refuses.
pub async fn open(
    instance: &mut Instance,
    session: &Session,
    why: Opening,
) -> Result<(), StageError> {
    let opened = instance.open(session, why).await;
    opened
        .map_err(StageError::Open)?
        .map_err(StageError::Refused)
}
