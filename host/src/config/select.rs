//! From names to sinks: builtins, tables with a module, and paths of components.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::setting::{Lookup, Written, resolve};
use super::{BadInput, Config, OnFailure, Origin, Setting, SinkTable, nearest};
use crate::build::language_of;
use crate::guest::builtin;
use crate::guest::limits::Limits;

/// What a session asks for on top of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Request {
    /// The sinks, or none for the default.
    pub sinks: Option<Vec<String>>,
    /// More sinks, whatever `sinks` comes to.
    pub extra_sinks: Vec<String>,
    /// `sink.key=value` texts.
    pub set: Vec<String>,
    /// The same, given to pytest's `--sinks-set`.
    #[serde(skip)]
    pub option_set: Vec<String>,
    /// A table a sink; wins over everything.
    pub settings: BTreeMap<String, serde_json::Map<String, Value>>,
    /// Loses against everything.
    pub defaults: Vec<Defaults>,
    /// The run may pause, so that it needs a host even where no sink is named.
    pub pauses: bool,
    /// No sink at all is fine, whatever the run does: it is kept to be looked at.
    #[serde(skip)]
    pub none_is_fine: bool,
}

/// Settings of a sink that hold where nobody sets them, and where they are from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Defaults {
    pub sink: String,
    /// As complaints show it, e.g. `tests/conftest.py`.
    pub origin: String,
    pub settings: serde_json::Map<String, Value>,
}

/// Where a sink's component comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ModuleSource {
    /// Part of this program.
    Builtin(String),
    File(PathBuf),
}

/// One sink of a run, as configured and not yet loaded. The journal keeps it, but for
/// its secrets, so that what is left of a run can be delivered later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SinkSpec {
    pub name: String,
    pub module: ModuleSource,
    pub sha256: Option<String>,
    /// `allow.*`: http, read, write; null where the sink's needs are granted as they are.
    pub allow_http: Vec<String>,
    pub allow_read: Vec<(String, PathBuf)>,
    pub allow_write: Vec<(String, PathBuf)>,
    pub limits: Limits,
    pub on_failure: OnFailure,
    pub settings: BTreeMap<String, Setting>,
    /// What a path is relative to that was not written in a file.
    pub directory: PathBuf,
}

impl SinkSpec {
    /// The settings as the guest gets them.
    #[must_use]
    pub fn settings_json(&self) -> String {
        let table: serde_json::Map<String, Value> = self
            .settings
            .iter()
            .map(|(key, setting)| (key.clone(), setting.value.clone()))
            .collect();
        Value::Object(table).to_string()
    }

    /// Whether the two are the same, on whatever lines of a file they were written.
    #[must_use]
    pub fn comes_to_the_same_as(&self, other: &Self) -> bool {
        self.without_lines() == other.without_lines()
    }

    fn without_lines(&self) -> Self {
        let mut spec = self.clone();
        for setting in spec.settings.values_mut() {
            if let Origin::File { line, .. } = &mut setting.origin {
                *line = 0;
            }
        }
        spec
    }

    /// Where `path`, a folder that the sink asks for, is on this machine: relative
    /// to the file that it was written in, or to the working directory.
    #[must_use]
    pub fn locate(&self, path: &str) -> PathBuf {
        let base = self
            .settings
            .values()
            .filter(|setting| setting.value.as_str() == Some(path))
            .find_map(|setting| setting.origin.folder());
        base.unwrap_or(&self.directory).join(path)
    }

    /// The configuration file that is in force where the sink was chosen.
    #[must_use]
    pub fn configuration(&self) -> Option<PathBuf> {
        super::file::find(&self.directory).ok().flatten()
    }
}

impl Origin {
    /// The folder of the file that something was written in.
    pub(super) fn folder(&self) -> Option<&Path> {
        match self {
            Self::File { path, .. } => path.parent(),
            _ => None,
        }
    }

    /// Whether `${NAME}` and `file:` stand for something else. Options that other plugins
    /// have, too, mean what they mean there.
    pub(super) fn refers(&self) -> bool {
        !matches!(self, Self::Option(_))
    }
}

impl Config {
    /// The sinks that `request` comes to, each once, in order.
    ///
    /// # Errors
    ///
    /// A name that is no sink, a table that belongs to none, a reference that leads
    /// nowhere.
    pub fn select(&self, request: &Request) -> Result<Vec<SinkSpec>, BadInput> {
        let config = self.with(request)?;
        let (named, origin) = match &request.sinks {
            Some(named) => (named.clone(), Origin::Flag("--sinks".into())),
            None => (
                config.sinks.clone(),
                config
                    .sinks_origin
                    .clone()
                    .unwrap_or(Origin::Flag("--sinks".into())),
            ),
        };
        let mut specs: Vec<SinkSpec> = Vec::new();
        for name in named.iter().chain(&request.extra_sinks) {
            let spec = config.spec(name, &origin)?;
            match specs.iter().find(|other| other.name == spec.name) {
                None => specs.push(spec),
                Some(other) if other.module == spec.module => {}
                Some(_) => {
                    return Err(BadInput::at(
                        &origin,
                        format!(
                            "two sinks are named {:?}; give one a table with another name and `module = …`",
                            spec.name
                        ),
                    ));
                }
            }
        }
        let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
        config.check_tables(&names)?;
        Ok(specs)
    }

    /// With what `request` sets.
    ///
    /// # Errors
    ///
    /// A setting of another form than `sink.key=value`, or a wrong value for a reserved key.
    pub fn with(&self, request: &Request) -> Result<Self, BadInput> {
        let mut config = self.clone();
        config.set(&request.set, "--set")?;
        config.set(&request.option_set, "--sinks-set")?;
        config.settings(&request.settings)?;
        config.fill(&request.defaults)?;
        Ok(config)
    }

    /// The setting `key` of `sink` as it is now.
    ///
    /// # Errors
    ///
    /// A reference that leads nowhere.
    pub(super) fn setting(&self, sink: &str, key: &str) -> Result<Option<Setting>, BadInput> {
        let table = self.tables.get(sink);
        table
            .and_then(|table| table.settings.get(key))
            .map(|written| resolve(sink, key, written, self.lookup()))
            .transpose()
    }

    fn lookup(&self) -> Lookup<'_> {
        Lookup {
            directory: &self.directory,
            variables: &self.variables,
        }
    }

    /// Every sink that can be named: builtins, and tables with a module.
    #[must_use]
    pub fn known_sinks(&self) -> Vec<String> {
        let mut names: Vec<String> = builtin::NAMES
            .iter()
            .map(|name| (*name).to_owned())
            .collect();
        let others = self
            .tables
            .iter()
            .filter(|(_, table)| table.module.is_some());
        names.extend(
            others
                .map(|(name, _)| name.clone())
                .filter(|name| !builtin::NAMES.contains(&name.as_str())),
        );
        names
    }

    fn spec(&self, named: &str, origin: &Origin) -> Result<SinkSpec, BadInput> {
        let (name, source) = self.find(named, origin)?;
        let empty = SinkTable::default();
        let table = self.tables.get(&name).unwrap_or(&empty);
        self.build(name, source, table)
    }

    /// The name and the module of the sink that is meant by `named`, whatever its settings.
    ///
    /// # Errors
    ///
    /// A name that is no sink.
    pub fn named(&self, named: &str) -> Result<(String, ModuleSource), BadInput> {
        let flag = Origin::Flag("--sinks".into());
        self.find(named, self.sinks_origin.as_ref().unwrap_or(&flag))
    }

    /// The names of the settings that a sink has of its own.
    #[must_use]
    pub fn settings_of(&self, sink: &str) -> Vec<String> {
        let table = self.tables.get(sink);
        table.map_or_else(Vec::new, |table| table.settings.keys().cloned().collect())
    }

    fn find(&self, named: &str, origin: &Origin) -> Result<(String, ModuleSource), BadInput> {
        let table = self.tables.get(named);
        let module = table.and_then(|table| table.module.as_ref());
        Ok(if let Some((path, written)) = module {
            let base = written.folder().unwrap_or(&self.directory);
            (named.to_owned(), ModuleSource::File(tidy(&base.join(path))))
        } else if builtin::NAMES.contains(&named) {
            (named.to_owned(), ModuleSource::Builtin(named.to_owned()))
        } else if is_path(named) {
            let base = origin.folder().unwrap_or(&self.directory);
            (stem(named), ModuleSource::File(tidy(&base.join(named))))
        } else {
            let known = self.known_sinks();
            let hint = nearest(named, known.iter().map(String::as_str)).unwrap_or_else(|| {
                format!(
                    "; known are {}, and paths of components and scripts such as ./{named}.wasm and ./{named}.py",
                    known.join(", ")
                )
            });
            return Err(BadInput::at(
                origin,
                format!("no sink is named {named:?}{hint}"),
            ));
        })
    }

    /// The guest that may answer pauses, where one is named.
    ///
    /// # Errors
    ///
    /// Settings without a module, or with a reference that leads nowhere.
    pub fn policy(&self) -> Result<Option<SinkSpec>, BadInput> {
        let table = &self.pause.policy;
        if let Some((path, written)) = &table.module {
            let base = written.folder().unwrap_or(&self.directory);
            let module = ModuleSource::File(tidy(&base.join(path)));
            return self.build(stem(path), module, table).map(Some);
        }
        match table.settings.values().find_map(Written::origin) {
            Some(origin) => Err(BadInput::at(
                origin,
                "pause.policy names no component: module = \"….wasm\"",
            )),
            None => Ok(None),
        }
    }

    fn build(
        &self,
        name: String,
        module: ModuleSource,
        table: &SinkTable,
    ) -> Result<SinkSpec, BadInput> {
        let allow = |kind: &str| -> Vec<(String, PathBuf)> {
            let Some((texts, origin)) = table.allow.get(kind) else {
                return Vec::new();
            };
            let base = origin.folder().unwrap_or(&self.directory);
            texts
                .iter()
                .map(|text| (text.clone(), base.join(text)))
                .collect()
        };
        let settings = table.settings.iter().map(|(key, written)| {
            let setting = resolve(&name, key, written, self.lookup())?;
            Ok((key.clone(), setting))
        });
        let settings = settings.collect::<Result<_, BadInput>>()?;
        Ok(SinkSpec {
            name,
            module,
            sha256: table.sha256.as_ref().map(|(digest, _)| digest.clone()),
            allow_http: table
                .allow
                .get("http")
                .map(|(texts, _)| texts.clone())
                .unwrap_or_default(),
            allow_read: allow("read"),
            allow_write: allow("write"),
            limits: table.limits.clone(),
            on_failure: table.on_failure,
            settings,
            directory: self.directory.clone(),
        })
    }

    /// A table for a sink that is not there is a slip of the pen, used or not; `others`
    /// are those that are there without a table of their own.
    ///
    /// # Errors
    ///
    /// A name that is no sink.
    pub fn check_tables(&self, others: &[&str]) -> Result<(), BadInput> {
        for (name, table) in &self.tables {
            let known = self.known_sinks();
            if known.contains(name) || others.contains(&name.as_str()) {
                continue;
            }
            let origin = table.settings.values().find_map(Written::origin);
            let hint = nearest(name, known.iter().map(String::as_str)).unwrap_or_else(|| {
                "; a sink that is not built in names its component: module = \"….wasm\"".to_owned()
            });
            let problem = format!("no sink is named {name:?}{hint}");
            return Err(match origin {
                Some(origin) => BadInput::at(origin, problem),
                None => BadInput(format!("[sink.{name}]: {problem}")),
            });
        }
        Ok(())
    }
}

/// Whether a name given as a sink is meant as the path of a component.
fn is_path(name: &str) -> bool {
    name.contains('/') || name.ends_with(".wasm") || language_of(Path::new(name)).is_some()
}

/// Without the `.` of `./sinks/mine.wasm`.
fn tidy(path: &Path) -> PathBuf {
    path.components().collect()
}

fn stem(path: &str) -> String {
    Path::new(path).file_stem().map_or_else(
        || path.to_owned(),
        |stem| stem.to_string_lossy().into_owned(),
    )
}
