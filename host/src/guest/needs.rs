//! What a sink needs, and what it is granted: as it is for built-in sinks, which come
//! with this program, and within `allow` for others.

use std::path::{Path, PathBuf};

use super::bindings::exported::Need;
use super::cache;
use super::grants::{Access, FolderGrant, Grants, HttpGrant};
use super::paths::{normal, real};
use crate::config::{BadInput, ModuleSource, SinkSpec};

/// The needs, and what is allowed beyond them: that is the sink's to use as well.
///
/// `forbidden` are folders and files of the host's own that no grant may contain, on top of
/// the compiled modules (which are run as they are) and the configuration.
///
/// # Errors
///
/// A need that is not covered, and a folder that cannot be granted.
pub fn grant(spec: &SinkSpec, needs: Vec<Need>, forbidden: &[PathBuf]) -> Result<Grants, BadInput> {
    let mut grants = Grants::default();
    let allowed = allowed_http(spec)?;
    let mut missing = Missing::new(spec);
    for need in needs {
        match need {
            Need::Http(text) => {
                let wanted: HttpGrant = text.parse().map_err(|error| {
                    BadInput(format!("sink {}: asks for HTTP to {error}", spec.name))
                })?;
                let covered = allowed.iter().any(|grant| grant.includes(&wanted));
                missing.unless(covered, "http", &wanted.to_string());
                grants.http.push(wanted);
            }
            Need::Read(path) => {
                let host = spec.locate(&path);
                let covered = covers(&spec.allow_read, &host) || covers(&spec.allow_write, &host);
                missing.unless(covered, "read", &path);
                grants.folders.push(folder(path, host, Access::Read));
            }
            Need::Write(path) => {
                let host = spec.locate(&path);
                missing.unless(covers(&spec.allow_write, &host), "write", &path);
                grants.folders.push(folder(path, host, Access::Write));
            }
        }
    }
    missing.none()?;
    grants.http.extend(allowed);
    add_allowed(&mut grants.folders, &spec.allow_write, Access::Write);
    add_allowed(&mut grants.folders, &spec.allow_read, Access::Read);
    let own: Vec<PathBuf> = forbidden
        .iter()
        .cloned()
        .chain(cache::folder())
        .chain(spec.configuration())
        .filter_map(|own| own.canonicalize().ok())
        .collect();
    let as_written: Vec<FolderGrant> = grants.folders.clone();
    for folder in &mut grants.folders {
        usable(spec, folder, &own)?;
    }
    stay_below(spec, &as_written, &grants.folders)?;
    Ok(grants)
}

fn allowed_http(spec: &SinkSpec) -> Result<Vec<HttpGrant>, BadInput> {
    let parse = |text: &String| {
        text.parse()
            .map_err(|error| BadInput(format!("sink {}: allow.http: {error}", spec.name)))
    };
    spec.allow_http.iter().map(parse).collect()
}

fn folder(guest: String, host: PathBuf, access: Access) -> FolderGrant {
    FolderGrant {
        guest,
        host,
        access,
    }
}

/// Each under the name that the user wrote; a need of that name gets the wider access.
fn add_allowed(folders: &mut Vec<FolderGrant>, allowed: &[(String, PathBuf)], access: Access) {
    for (text, host) in allowed {
        match folders.iter_mut().find(|folder| folder.guest == *text) {
            Some(known) if access == Access::Write && known.host == *host => known.access = access,
            Some(_) => {}
            None => folders.push(folder(text.clone(), host.clone(), access)),
        }
    }
}

/// The lines of configuration that are not there.
struct Missing<'a> {
    spec: &'a SinkSpec,
    lines: Vec<String>,
}

impl<'a> Missing<'a> {
    fn new(spec: &'a SinkSpec) -> Self {
        Self {
            spec,
            lines: Vec::new(),
        }
    }

    fn unless(&mut self, covered: bool, key: &str, value: &str) {
        let builtin = matches!(self.spec.module, ModuleSource::Builtin(_));
        if !builtin && !covered {
            self.lines.push(format!("allow.{key} = [{value:?}]"));
        }
    }

    fn none(self) -> Result<(), BadInput> {
        if self.lines.is_empty() {
            return Ok(());
        }
        Err(BadInput(format!(
            "sink {0}: needs what it is not granted; add to [sink.{0}] in host.toml: {1}",
            self.spec.name,
            self.lines.join(" and ")
        )))
    }
}

/// Whether a folder is below one that is allowed, as it is written and where it really is.
fn covers(allowed: &[(String, PathBuf)], wanted: &Path) -> bool {
    allowed.iter().any(|(_, folder)| {
        normal(wanted).starts_with(normal(folder)) && real(wanted).starts_with(real(folder))
    })
}

/// Makes a folder to write to, sees that it can be used, and notes where it really is.
fn usable(spec: &SinkSpec, folder: &mut FolderGrant, own: &[PathBuf]) -> Result<(), BadInput> {
    let bad = |problem: String| {
        let origin = origin(spec, &folder.guest);
        Err(BadInput(format!("{origin}: {:?} {problem}", folder.guest)))
    };
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
    let real = match path.canonicalize() {
        Ok(real) => real,
        Err(error) => return bad(format!("cannot be opened: {error}")),
    };
    if let Some(own) = own
        .iter()
        .find(|own| own.starts_with(&real) || real.starts_with(own))
    {
        return bad(format!(
            "cannot be granted: the host keeps its own files in {}; name another folder",
            own.display()
        ));
    }
    folder.host = real;
    Ok(())
}

/// Where the folder that a guest calls `name` was asked for.
fn origin(spec: &SinkSpec, name: &str) -> String {
    let setting = spec
        .settings
        .iter()
        .find(|(_, setting)| setting.value.as_str() == Some(name));
    let Some((key, setting)) = setting else {
        return format!("sink {}", spec.name);
    };
    let origin = setting.origin.to_string();
    let full = format!("{}.{key}", spec.name);
    if origin.contains(&full) {
        origin
    } else {
        format!("{origin}: {full}")
    }
}

/// What a sink may write to it may fill with links, for a later run to follow: a folder
/// in there is granted only where it is.
fn stay_below(
    spec: &SinkSpec,
    as_written: &[FolderGrant],
    folders: &[FolderGrant],
) -> Result<(), BadInput> {
    let pairs = || as_written.iter().zip(folders);
    for (inner, inner_real) in pairs() {
        let left = pairs().find(|(outer, outer_real)| {
            outer_real.access == Access::Write
                && normal(&inner.host).starts_with(normal(&outer.host))
                && !inner_real.host.starts_with(&outer_real.host)
        });
        if let Some((outer, _)) = left {
            return Err(BadInput(format!(
                "{}: {:?} cannot be granted: it is a link that leads out of {:?}, where the sink may have made it; name the folder that it leads to",
                origin(spec, &inner.guest),
                inner.guest,
                outer.guest,
            )));
        }
    }
    Ok(())
}
