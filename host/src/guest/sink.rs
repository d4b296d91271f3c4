//! A sink that is ready to be run: loaded, its settings accepted, its needs granted.

use std::path::PathBuf;
use std::sync::Arc;

use super::bindings::exported::{Misconfiguration, Need};
use super::capability::Denials;
use super::capability::http::HttpGate;
use super::capability::log::LogBudget;
use super::grants::Grants;
use super::instance::{CallError, Instance};
use super::module::Module;
use super::needs::grant;
use crate::config::{BadInput, SinkSpec};
use crate::secrets::scrubbed;

/// What every instance of a sink is made from.
#[derive(Clone)]
pub struct Sink {
    pub spec: SinkSpec,
    pub module: Module,
    pub grants: Arc<Grants>,
    denials: Denials,
}

impl Sink {
    /// Loads a sink and asks it whether it can work with its settings.
    ///
    /// `forbidden` are folders that no grant may contain: the host's own.
    ///
    /// # Errors
    ///
    /// Everything that can be wrong with a module, its settings and its grants.
    pub fn load(spec: SinkSpec, forbidden: &[PathBuf]) -> Result<Self, BadInput> {
        // What is needed and where may be part of a secret.
        Self::load_telling_all(spec, forbidden).map_err(|bad| BadInput(scrubbed(bad.0)))
    }

    fn load_telling_all(spec: SinkSpec, forbidden: &[PathBuf]) -> Result<Self, BadInput> {
        let place =
            |problem: &dyn std::fmt::Display| BadInput(format!("sink {}: {problem}", spec.name));
        let module = Module::load(&spec.module, spec.sha256.as_deref()).map_err(|e| place(&e))?;
        let needs = ask(&spec, &module)
            .map_err(|error| place(&format!("configure did not return: {error}")))?
            .map_err(|wrong| misconfigured(&spec, &wrong))?;
        let grants = grant(&spec, needs, forbidden)?;
        Ok(Self {
            denials: Denials::new(&spec.name),
            spec,
            module,
            grants: Arc::new(grants),
        })
    }

    /// Whether the two do the same with every event.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.module.digest == other.module.digest && self.spec.comes_to_the_same_as(&other.spec)
    }

    /// An instance's way to HTTP, with a pool of its own.
    #[must_use]
    pub fn http(&self) -> HttpGate {
        HttpGate::new(Arc::clone(&self.grants), self.denials.clone())
    }
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink")
            .field("spec", &self.spec)
            .field("grants", &self.grants)
            .finish_non_exhaustive()
    }
}

/// What a module asks for with its settings, or what is wrong with them.
///
/// # Errors
///
/// A module that is no sink, or does not answer.
pub fn needs(spec: &SinkSpec) -> Result<Result<Vec<Need>, Misconfiguration>, BadInput> {
    let place = |problem: &dyn std::fmt::Display| {
        BadInput(scrubbed(format!("sink {}: {problem}", spec.name)))
    };
    let module = Module::load(&spec.module, spec.sha256.as_deref()).map_err(|e| place(&e))?;
    ask(spec, &module).map_err(|error| place(&format!("configure did not return: {error}")))
}

/// Calls `configure` on an instance that may do nothing at all.
fn ask(spec: &SinkSpec, module: &Module) -> Result<Result<Vec<Need>, Misconfiguration>, CallError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CallError::Trap(error.to_string()))?;
    runtime.block_on(async {
        let http = HttpGate::new(Arc::default(), Denials::new(&spec.name));
        let mut instance = Instance::start(
            module,
            &spec.limits,
            std::collections::BTreeMap::new(),
            Arc::new(LogBudget::new(spec.limits.log)),
            http,
        )
        .await?;
        instance.configure(&spec.settings_json()).await
    })
}

fn misconfigured(spec: &SinkSpec, wrong: &Misconfiguration) -> BadInput {
    let Some(key) = &wrong.key else {
        return BadInput(format!("sink {}: {}", spec.name, wrong.problem));
    };
    let full = format!("{}.{key}", spec.name);
    let top = key.split('.').next().unwrap_or(key);
    match spec.settings.get(top).map(|setting| &setting.origin) {
        // The flag's own text names the key already.
        Some(origin) if origin.to_string().contains(&full) => BadInput::at(origin, &wrong.problem),
        Some(origin) => BadInput::at(origin, format!("{full}: {}", wrong.problem)),
        None => BadInput(format!(
            "{full}: {} (--set {full}=…, with pytest --sinks-set {full}=…, or {key} under [sink.{}] in host.toml)",
            wrong.problem, spec.name
        )),
    }
}
