//! Paths, as they are written.

use std::path::{Component, Path, PathBuf};

/// `path` without `.` and `..`, as if there were no links in it.
#[must_use]
pub fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            part => normal.push(part),
        }
    }
    normal
}

/// Where `path` really is, links followed as far as there is something.
#[must_use]
pub fn real(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let there = path
        .ancestors()
        .find_map(|ancestor| Some((ancestor, ancestor.canonicalize().ok()?)));
    match there {
        Some((ancestor, real)) => {
            normal(&real.join(path.strip_prefix(ancestor).unwrap_or(Path::new(""))))
        }
        None => normal(&path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_way_leads_above_the_root() {
        for (path, expected) in [
            ("/a/./b/../c", "/a/c"),
            ("/a/../../../b", "/b"),
            ("a/..", ""),
            ("/", "/"),
        ] {
            assert_eq!(normal(Path::new(path)), Path::new(expected), "{path}");
        }
    }

    #[test]
    fn links_are_followed_as_far_as_there_are_any() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(top.join("a/b")).unwrap();
        std::os::unix::fs::symlink("a/b", top.join("link")).unwrap();
        assert_eq!(real(&top.join("link/c/d")), top.join("a/b/c/d"));
        assert_eq!(real(&top.join("none/../x")), top.join("x"));
        assert_eq!(real(&top.join("link/..")), top.join("a"));
    }
}
