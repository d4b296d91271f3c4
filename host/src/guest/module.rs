//! A component, told apart from everything else that a user may name as one.

use std::borrow::Cow;
use std::io;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};

use super::bindings::{SinkGuest, SinkGuestPre};
use super::capability::{files, sockets};
use super::store::GuestData;
use super::{builtin, cache, engine};
use crate::build::{BuildError, Script, language_of};
use crate::config::ModuleSource;
use crate::text::one_line;

/// The package of the contract, and the version of it that this host speaks.
pub const CONTRACT: &str = "pytest-host:sinks";
pub const CONTRACT_VERSION: &str = "0.1.0";
/// Interfaces of the contract that a guest may import.
const OWN: [&str; 6] = ["events", "http", "log", "state", "topics", "websocket"];
/// Packages of WASI that are linked, all of 0.2.
const WASI: [&str; 7] = [
    "cli",
    "clocks",
    "filesystem",
    "http",
    "io",
    "random",
    "sockets",
];

/// Why a file cannot be a sink. Reads on after "sink NAME: ".
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    #[error("{path} is not there")]
    Missing { path: String },
    #[error("{path} cannot be read: {error}")]
    Unreadable { path: String, error: io::Error },
    #[error("{path} is not WebAssembly")]
    NotWasm { path: String },
    #[error(
        "{path} is a core WebAssembly module, not a component; build it for wasm32-wasip2, or wrap it with `wasm-tools component new`"
    )]
    CoreModule { path: String },
    #[error("{path} is not a valid component: {error}")]
    Malformed { path: String, error: String },
    #[error("{path} imports {import}, which this host does not know; {known}")]
    UnknownImport {
        path: String,
        import: String,
        known: String,
    },
    #[error("{path} {problem}")]
    NotASink { path: String, problem: String },
    #[error("{path} has the SHA-256 {found}, but sha256 = {expected} is asked for")]
    OtherDigest {
        path: String,
        found: String,
        expected: String,
    },
    #[error("{0}")]
    Build(#[from] BuildError),
    #[error("this machine cannot run WebAssembly: {0}")]
    NoEngine(Arc<wasmtime::Error>),
}

/// A world that a guest may be of, and the interface that it then exports.
pub struct World {
    pub interface: &'static str,
    /// In complaints.
    pub what: &'static str,
    pub name: &'static str,
}

const SINK: World = World {
    interface: "sink",
    what: "sink",
    name: "sink-guest",
};

/// A component of some world, compiled.
pub struct Compiled {
    engine: Engine,
    component: Component,
    path: String,
    digest: String,
}

/// A component that is a sink, compiled and linked.
#[derive(Clone)]
pub struct Module {
    pub engine: Engine,
    pub linked: SinkGuestPre<GuestData>,
    /// The SHA-256 of the component, in hexadecimal.
    pub digest: String,
}

impl Module {
    /// Loads, compiles and checks a component.
    ///
    /// # Errors
    ///
    /// Whatever makes it no sink for this host.
    pub fn load(source: &ModuleSource, pin: Option<&str>) -> Result<Self, ModuleError> {
        let compiled = component(source, pin, &SINK)?;
        Ok(Self {
            linked: compiled.link(SinkGuestPre::new)?,
            engine: compiled.engine,
            digest: compiled.digest,
        })
    }
}

/// Loads, compiles and checks a component of `world`.
///
/// # Errors
///
/// Whatever makes it none for this host.
pub fn component(
    source: &ModuleSource,
    pin: Option<&str>,
    world: &World,
) -> Result<Compiled, ModuleError> {
    compile(&read(source, pin)?, world)
}

fn compile(read: &Read, world: &World) -> Result<Compiled, ModuleError> {
    let engine = engine::engine().map_err(ModuleError::NoEngine)?;
    let digest = read.digest();
    let malformed = |error: wasmtime::Error| ModuleError::Malformed {
        path: read.path.clone(),
        error: one_line(&format!("{error:#}")),
    };
    let component = cache::compile(&engine, &read.bytes, &digest).map_err(malformed)?;
    check(&engine, &component, &read.path, world)?;
    Ok(Compiled {
        engine,
        component,
        path: read.path.clone(),
        digest,
    })
}

impl Compiled {
    /// Links the component, as a guest of whatever world `new` makes one of.
    ///
    /// # Errors
    ///
    /// Where it does not fit the contract.
    pub fn link<T>(
        &self,
        new: impl FnOnce(InstancePre<GuestData>) -> wasmtime::Result<T>,
    ) -> Result<T, ModuleError> {
        let linker = linker().map_err(|error| ModuleError::NoEngine(Arc::clone(error)))?;
        let linked = linker.instantiate_pre(&self.component).and_then(new);
        linked.map_err(|error| ModuleError::NotASink {
            path: self.path.clone(),
            problem: format!(
                "does not fit the contract {CONTRACT}@{CONTRACT_VERSION}: {}",
                one_line(&format!("{error:#}"))
            ),
        })
    }
}

/// What a component is, by its type.
pub struct Inspected {
    pub imports: Vec<String>,
    pub exports: Vec<String>,
    /// The version of the contract that it was built for.
    pub contract: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256, in hexadecimal; of a script that of its text.
    pub digest: String,
    /// It was loaded as it was compiled before.
    pub compiled_before: bool,
}

/// Loads, compiles and checks a sink, and says what it is.
///
/// # Errors
///
/// Whatever makes it no sink for this host.
pub fn inspect(source: &ModuleSource, pin: Option<&str>) -> Result<Inspected, ModuleError> {
    let engine = engine::engine().map_err(ModuleError::NoEngine)?;
    let read = read(source, pin)?;
    let compiled_before = cache::has(&engine, &read.digest());
    let compiled = compile(&read, &SINK)?;
    compiled.link(SinkGuestPre::new)?;
    let kind = compiled.component.component_type();
    let names = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let exports = names(kind.exports(&engine).map(|(name, _)| name).collect());
    let version = |export: &String| {
        let version = export.strip_prefix(&format!("{CONTRACT}/{}@", SINK.interface))?;
        Some(version.to_owned())
    };
    Ok(Inspected {
        imports: names(kind.imports(&engine).map(|(name, _)| name).collect()),
        contract: exports.iter().find_map(version).unwrap_or_default(),
        exports,
        size: read.bytes.len() as u64,
        digest: read.script.unwrap_or(compiled.digest),
        compiled_before,
    })
}

/// The SHA-256 of what is there now for a component, in hexadecimal; of a script that of what
/// is made of it.
#[must_use]
pub fn digest(source: &ModuleSource) -> Option<String> {
    Some(read(source, None).ok()?.digest())
}

/// A component as it was read.
pub struct Read {
    /// What to call it.
    path: String,
    pub bytes: Cow<'static, [u8]>,
    /// The SHA-256 of the text of the script that it is made of, in hexadecimal.
    script: Option<String>,
}

impl Read {
    fn digest(&self) -> String {
        crate::text::hex(&Sha256::digest(&self.bytes))
    }
}

/// The bytes of a component. A script is built where it was not yet, unless another is pinned.
///
/// # Errors
///
/// Where it is not there, is none, or is not the one that is pinned.
pub fn read(source: &ModuleSource, pin: Option<&str>) -> Result<Read, ModuleError> {
    let read = match source {
        ModuleSource::Builtin(name) => Read {
            path: format!("the built-in {name}"),
            bytes: builtin::component(name)
                .ok_or_else(|| ModuleError::Missing { path: name.clone() })?
                .into(),
            script: None,
        },
        ModuleSource::File(file) => {
            let path = file.display().to_string();
            let (bytes, script) = match script_of(source) {
                Some(file) => {
                    let script = Script::read(file)?;
                    // Its text is pinned: what is made of that may differ from tool to tool.
                    pinned(&path, &script.digest, pin)?;
                    (script.component(&mut log)?, Some(script.digest))
                }
                None => {
                    let bytes = std::fs::read(file).map_err(|error| unreadable(file, error))?;
                    (bytes, None)
                }
            };
            Read {
                path,
                bytes: bytes.into(),
                script,
            }
        }
    };
    let path = read.path.clone();
    // The preamble: magic, then a version of 16 bits and a layer of 16 bits.
    match read.bytes.get(..8) {
        Some([0, b'a', b's', b'm', _, _, 1, 0]) => {}
        Some([0, b'a', b's', b'm', ..]) => return Err(ModuleError::CoreModule { path }),
        _ => return Err(ModuleError::NotWasm { path }),
    }
    if read.script.is_none() {
        pinned(&path, &read.digest(), pin)?;
    }
    Ok(read)
}

fn pinned(path: &str, found: &str, pin: Option<&str>) -> Result<(), ModuleError> {
    match pin {
        Some(expected) if found != expected => Err(ModuleError::OtherDigest {
            path: path.to_owned(),
            found: found.to_owned(),
            expected: expected.to_owned(),
        }),
        _ => Ok(()),
    }
}

/// The script that a component is made of, where it is of one.
#[must_use]
pub fn script_of(source: &ModuleSource) -> Option<&Path> {
    match source {
        ModuleSource::Builtin(_) => None,
        ModuleSource::File(path) => language_of(path).map(|_| path.as_path()),
    }
}

fn log(line: &str) {
    tracing::info!("{line}");
}

fn unreadable(path: &Path, error: io::Error) -> ModuleError {
    let path = path.display().to_string();
    match error.kind() {
        io::ErrorKind::NotFound => ModuleError::Missing { path },
        _ => ModuleError::Unreadable { path, error },
    }
}

/// Looks at the component's type, before anything of it runs.
fn check(
    engine: &Engine,
    component: &Component,
    path: &str,
    world: &World,
) -> Result<(), ModuleError> {
    let component = component.component_type();
    for (import, _) in component.imports(engine) {
        if !is_known(import) {
            return Err(ModuleError::UnknownImport {
                path: path.to_owned(),
                import: import.to_owned(),
                known: format!(
                    "known are {CONTRACT}/{{{}}}@{CONTRACT_VERSION} and WASI 0.2",
                    OWN.join(",")
                ),
            });
        }
    }
    let of_any_version = format!("{CONTRACT}/{}@", world.interface);
    let wanted = format!("{of_any_version}{CONTRACT_VERSION}");
    let mut other = None;
    for (export, _) in component.exports(engine) {
        if let Some(version) = export.strip_prefix(&of_any_version) {
            if is_spoken(version) {
                return Ok(());
            }
            other = Some(export.to_owned());
        }
    }
    let problem = match other {
        Some(other) => format!("exports {other}; this host speaks {wanted}"),
        None => format!(
            "exports no {wanted}, so it is no {} (world {})",
            world.what, world.name
        ),
    };
    Err(ModuleError::NotASink {
        path: path.to_owned(),
        problem,
    })
}

/// Whether a guest of that version of the contract can be run: one of the same 0.x that is no later.
/// wasmtime's linker finds imports and exports by the same rule.
fn is_spoken(version: &str) -> bool {
    let parse = |version: &str| semver::Version::parse(version).ok();
    let (Some(theirs), Some(ours)) = (parse(version), parse(CONTRACT_VERSION)) else {
        return false;
    };
    (theirs.major, theirs.minor) == (ours.major, ours.minor) && theirs <= ours
}

fn is_known(import: &str) -> bool {
    let Some((interface, version)) = import.rsplit_once('@') else {
        return false;
    };
    let Some((package, name)) = interface.split_once('/') else {
        return false;
    };
    if package == CONTRACT {
        is_spoken(version) && OWN.contains(&name)
    } else {
        package
            .strip_prefix("wasi:")
            .is_some_and(|name| WASI.contains(&name))
            && version.starts_with("0.2.")
    }
}

fn linker() -> Result<&'static Linker<GuestData>, &'static Arc<wasmtime::Error>> {
    static LINKER: LazyLock<Result<Linker<GuestData>, Arc<wasmtime::Error>>> =
        LazyLock::new(|| {
            let engine = engine::engine()?;
            let mut linker = Linker::new(&engine);
            wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
            // Ours are held to grants, and tell what was denied.
            linker.allow_shadowing(true);
            files::add_to_linker(&mut linker)?;
            sockets::add_to_linker(&mut linker)?;
            linker.allow_shadowing(false);
            wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
            SinkGuest::add_to_linker::<_, HasSelf<_>>(&mut linker, |data| data)?;
            Ok(linker)
        });
    LINKER.as_ref()
}

#[cfg(test)]
mod version_tests;

#[cfg(test)]
impl Module {
    /// The sink that the crate `sink-wat` makes of these fields.
    pub fn from_text(fields: &str) -> Self {
        let engine = engine::engine().unwrap();
        let bytes = sink_wat::component(fields).unwrap();
        let component = Component::new(&engine, &bytes).unwrap();
        let linked = linker().unwrap().instantiate_pre(&component).unwrap();
        Self {
            engine,
            linked: SinkGuestPre::new(linked).unwrap(),
            digest: crate::text::hex(&Sha256::digest(&bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(name: &str, bytes: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        let error = match Module::load(&ModuleSource::File(file), None) {
            Ok(_) => panic!("{name} was loaded"),
            Err(error) => error.to_string(),
        };
        error.replace(&format!("{}/", folder.path().display()), "")
    }

    #[test]
    fn what_is_no_component_is_told_apart() {
        assert_eq!(load("text.wasm", b"hello"), "text.wasm is not WebAssembly");
        let core = wat::parse_str("(module)").unwrap();
        assert!(load("core.wasm", &core).starts_with("core.wasm is a core WebAssembly module"));
        let component = wat::parse_str("(component)").unwrap();
        assert_eq!(
            load("empty.wasm", &component),
            "empty.wasm exports no pytest-host:sinks/sink@0.1.0, so it is no sink (world sink-guest)"
        );
        let mut cut = wat::parse_str("(component (core module (memory 1)))").unwrap();
        cut.pop();
        assert!(load("cut.wasm", &cut).starts_with("cut.wasm is not a valid component: "));
    }

    #[test]
    fn an_import_that_the_host_does_not_know_is_named() {
        let component =
            wat::parse_str(r#"(component (import "acme:lamp/switch@1.0.0" (instance)))"#).unwrap();
        assert_eq!(
            load("lamp.wasm", &component),
            "lamp.wasm imports acme:lamp/switch@1.0.0, which this host does not know; known are pytest-host:sinks/{events,http,log,state,topics,websocket}@0.1.0 and WASI 0.2"
        );
    }

    #[test]
    fn a_missing_module_and_another_digest_are_told() {
        let missing = Module::load(&ModuleSource::File("no/such.wasm".into()), None);
        assert_eq!(
            missing.err().unwrap().to_string(),
            "no/such.wasm is not there"
        );
        let builtin = ModuleSource::Builtin("publish".into());
        let other = Module::load(&builtin, Some("00"))
            .err()
            .unwrap()
            .to_string();
        assert!(
            other.starts_with("the built-in publish has the SHA-256 "),
            "{other}"
        );
        // Told before anything is done with it: this one could not even be built.
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("report.py");
        std::fs::write(&script, "no Python").unwrap();
        let script = Module::load(&ModuleSource::File(script), Some("00"));
        let told = script.err().unwrap().to_string();
        assert!(told.contains("report.py has the SHA-256 "), "{told}");
    }

    #[test]
    fn the_built_in_guests_are_sinks() {
        for name in builtin::NAMES {
            assert!(
                Module::load(&ModuleSource::Builtin(name.into()), None).is_ok(),
                "{name}"
            );
        }
    }
}
