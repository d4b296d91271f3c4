//! A sink that is ready to be run: loaded, its settings accepted, its needs granted.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::bindings::exported::{Misconfiguration, Need};
use super::capability::http::HttpGate;
use super::client::HttpClient;
use super::grants::{Access, FolderGrant, Grants, HttpGrant};
use super::instance::{CallError, Instance};
use super::module::Module;
use crate::config::{BadInput, ModuleSource, SinkSpec};

/// What every instance of a sink is made from.
#[derive(Clone)]
pub struct Sink {
    pub spec: SinkSpec,
    pub module: Module,
    pub grants: Arc<Grants>,
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
        let place =
            |problem: &dyn std::fmt::Display| BadInput(format!("sink {}: {problem}", spec.name));
        let module = Module::load(&spec.module, spec.sha256.as_deref()).map_err(|e| place(&e))?;
        let needs = ask(&spec, &module)
            .map_err(|error| place(&format!("configure did not return: {error}")))?
            .map_err(|wrong| misconfigured(&spec, &wrong))?;
        let grants = grant(&spec, needs, forbidden)?;
        Ok(Self {
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
        HttpGate {
            client: HttpClient::from_environment(),
            grants: Arc::clone(&self.grants),
            sink: self.spec.name.as_str().into(),
        }
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

/// Calls `configure` on an instance that may do nothing at all.
fn ask(spec: &SinkSpec, module: &Module) -> Result<Result<Vec<Need>, Misconfiguration>, CallError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CallError::Trap(error.to_string()))?;
    runtime.block_on(async {
        let http = HttpGate {
            client: HttpClient::from_environment(),
            grants: Arc::default(),
            sink: spec.name.as_str().into(),
        };
        let mut instance = Instance::start(
            module,
            &spec.limits,
            std::collections::BTreeMap::new(),
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

/// Turns needs into grants: as they are for built-in sinks, which come with this
/// program, and within `allow` for others.
fn grant(spec: &SinkSpec, needs: Vec<Need>, forbidden: &[PathBuf]) -> Result<Grants, BadInput> {
    let builtin = matches!(spec.module, ModuleSource::Builtin(_));
    let mut grants = Grants::default();
    let allowed: Vec<HttpGrant> = spec
        .allow_http
        .iter()
        .map(|text| {
            text.parse()
                .map_err(|error| BadInput(format!("sink {}: allow.http: {error}", spec.name)))
        })
        .collect::<Result<_, _>>()?;
    let mut missing: Vec<String> = Vec::new();
    for need in needs {
        match need {
            Need::Http(text) => {
                let wanted: HttpGrant = text.parse().map_err(|error| {
                    BadInput(format!("sink {}: asks for HTTP to {error}", spec.name))
                })?;
                if !builtin && !allowed.iter().any(|grant| grant.includes(&wanted)) {
                    missing.push(format!("allow.http = [{:?}]", wanted.to_string()));
                }
                grants.http.push(wanted);
            }
            Need::Read(path) => {
                let host = spec.locate(&path);
                if !builtin && !covers(&spec.allow_read, &host) && !covers(&spec.allow_write, &host)
                {
                    missing.push(format!("allow.read = [{path:?}]"));
                }
                grants.folders.push(FolderGrant {
                    guest: path,
                    host,
                    access: Access::Read,
                });
            }
            Need::Write(path) => {
                let host = spec.locate(&path);
                if !builtin && !covers(&spec.allow_write, &host) {
                    missing.push(format!("allow.write = [{path:?}]"));
                }
                grants.folders.push(FolderGrant {
                    guest: path,
                    host,
                    access: Access::Write,
                });
            }
        }
    }
    if !missing.is_empty() {
        return Err(BadInput(format!(
            "sink {0}: needs what it is not granted; add to [sink.{0}] in host.toml: {1}",
            spec.name,
            missing.join(" and ")
        )));
    }
    // What is allowed beyond the needs is the sink's to use as well.
    grants.http.extend(allowed);
    for folder in &grants.folders {
        usable(spec, folder, forbidden)?;
    }
    Ok(grants)
}

fn covers(allowed: &[(String, PathBuf)], wanted: &Path) -> bool {
    allowed
        .iter()
        .any(|(_, folder)| normal(wanted).starts_with(normal(folder)))
}

/// `path` without `.` and `..`; as for links, the folder is opened once, here.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                normal.pop();
            }
            std::path::Component::CurDir => {}
            part => normal.push(part),
        }
    }
    normal
}

/// Makes a folder to write to, and sees that it can be used.
fn usable(spec: &SinkSpec, folder: &FolderGrant, forbidden: &[PathBuf]) -> Result<(), BadInput> {
    let origin = spec
        .settings
        .iter()
        .find(|(_, setting)| setting.value.as_str() == Some(&folder.guest))
        .map_or_else(
            || format!("sink {}", spec.name),
            |(key, setting)| {
                let origin = setting.origin.to_string();
                let full = format!("{}.{key}", spec.name);
                if origin.contains(&full) {
                    origin
                } else {
                    format!("{origin}: {full}")
                }
            },
        );
    let bad = |problem: String| Err(BadInput(format!("{origin}: {:?} {problem}", folder.guest)));
    let path = &folder.host;
    if path.exists() && !path.is_dir() {
        return bad("is a file; it should be a folder".into());
    }
    if folder.access == Access::Write {
        if let Err(error) = std::fs::create_dir_all(path) {
            return bad(format!("cannot be made: {error}"));
        }
        if let Err(error) = rustix::fs::access(path, rustix::fs::Access::WRITE_OK) {
            return bad(format!("cannot be written to: {error}"));
        }
    } else if !path.is_dir() {
        return bad("is not there; it should be a folder".into());
    }
    let real = path.canonicalize().unwrap_or_else(|_| path.clone());
    let inside = forbidden
        .iter()
        .filter_map(|own| own.canonicalize().ok())
        .find(|own| own.starts_with(&real) || real.starts_with(own));
    match inside {
        Some(own) => bad(format!(
            "cannot be granted: the host keeps its own files in {}; name another folder",
            own.display()
        )),
        None => Ok(()),
    }
}
