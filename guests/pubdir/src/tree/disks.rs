//! Disks for the tests: one that dies, and one that is quick to copy.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    rc::Rc,
};

use crate::files::{Files, Unless as _};

/// A disk that fails after so many changes, in the middle of a write where there is one, and for good.
pub struct Mortal<F> {
    files: F,
    left: Cell<usize>,
}

impl<F> Mortal<F> {
    pub fn new(files: F, changes: usize) -> Self {
        Self {
            files,
            left: Cell::new(changes),
        }
    }

    pub fn revive(&self) {
        self.left.set(usize::MAX);
    }

    fn look<T>(&self, act: impl FnOnce(&F) -> io::Result<T>) -> io::Result<T> {
        if self.left.get() == 0 {
            Err(io::Error::other("dead"))
        } else {
            act(&self.files)
        }
    }

    fn change(
        &self,
        act: impl FnOnce(&F) -> io::Result<()>,
        in_part: impl FnOnce(&F) -> io::Result<()>,
    ) -> io::Result<()> {
        self.look(|_| Ok(()))?;
        self.left.update(|left| left - 1);
        if self.left.get() == 0 {
            in_part(&self.files)?;
            return Err(io::Error::other("died"));
        }
        act(&self.files)
    }
}

fn half(content: &[u8]) -> &[u8] {
    &content[..content.len() / 2]
}

impl<F: Files> Files for Mortal<F> {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.change(|files| files.create_dir(path), |_| Ok(()))
    }

    fn create_file(&self, path: &Path) -> io::Result<()> {
        self.change(|files| files.create_file(path), |_| Ok(()))
    }

    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.change(
            |files| files.write(path, content),
            |files| files.write(path, half(content)),
        )
    }

    fn append(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.change(
            |files| files.append(path, content),
            |files| files.append(path, half(content)),
        )
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(|files| files.rename(from, to), |_| Ok(()))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.change(|files| files.remove_file(path), |_| Ok(()))
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.change(|files| files.remove_dir(path), |_| Ok(()))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.look(|files| files.read(path))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.look(|files| files.exists(path))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.look(|files| files.list(path))
    }
}

/// A disk in memory: files with their content, folders without. A clone is the same disk.
#[derive(Clone, Default)]
pub struct Memory(Rc<RefCell<BTreeMap<PathBuf, Option<Vec<u8>>>>>);

impl Memory {
    /// Another disk with the same files.
    pub fn copy(&self) -> Self {
        Self(Rc::new(RefCell::new(self.0.borrow().clone())))
    }

    fn create(&self, path: &Path, content: Option<Vec<u8>>) -> io::Result<()> {
        match path.parent() {
            _ if self.exists(path)? => Err(ErrorKind::AlreadyExists.into()),
            Some(parent) if self.exists(parent)? => {
                self.0.borrow_mut().insert(path.to_owned(), content);
                Ok(())
            }
            _ => Err(ErrorKind::NotFound.into()),
        }
    }
}

impl Files for Memory {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.create(path, None)
    }

    fn create_file(&self, path: &Path) -> io::Result<()> {
        self.create(path, Some(vec![]))
    }

    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.create_file(path).unless(ErrorKind::AlreadyExists)?;
        self.0
            .borrow_mut()
            .insert(path.to_owned(), Some(content.to_owned()));
        Ok(())
    }

    fn append(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let old = self.read(path).unwrap_or_default();
        let all = [&old, content].concat();
        self.write(path, &all)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let replace = if self.read(from).is_ok() {
            Self::remove_file
        } else {
            Self::remove_dir
        };
        replace(self, to).unless(ErrorKind::NotFound)?;
        let moved = |path: PathBuf| match path.strip_prefix(from) {
            Ok(inner) if inner == Path::new("") => to.to_owned(),
            Ok(inner) => to.join(inner),
            Err(_) => path,
        };
        let all = self.0.take();
        self.0.replace(
            all.into_iter()
                .map(|(path, content)| (moved(path), content))
                .collect(),
        );
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        match self.0.borrow().get(path) {
            Some(Some(_)) => {}
            Some(None) => return Err(ErrorKind::IsADirectory.into()),
            None => return Err(ErrorKind::NotFound.into()),
        }
        self.0.borrow_mut().remove(path);
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        if !self.list(path)?.is_empty() {
            return Err(ErrorKind::DirectoryNotEmpty.into());
        }
        self.0.borrow_mut().remove(path);
        Ok(())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0
            .borrow()
            .get(path)
            .cloned()
            .flatten()
            .ok_or(ErrorKind::NotFound.into())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(path == Path::new("") || self.0.borrow().contains_key(path))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        if !self.exists(path)? {
            return Err(ErrorKind::NotFound.into());
        }
        let all = self.0.borrow();
        let inner = all.keys().filter(|inner| inner.parent() == Some(path));
        Ok(inner
            .map(|inner| inner.file_name().unwrap().to_str().unwrap().to_owned())
            .collect())
    }
}

/// All files by path, and empty folders, which end in a slash.
pub fn tree_of(files: &impl Files, top: &Path) -> BTreeMap<String, String> {
    fn walk(files: &impl Files, folder: &Path, prefix: &str, tree: &mut BTreeMap<String, String>) {
        let names = files.list(folder).unwrap();
        if names.is_empty() && !prefix.is_empty() {
            tree.insert(prefix.to_owned(), String::new());
        }
        for name in names {
            let path = folder.join(&name);
            match files.read(&path) {
                Ok(content) => {
                    tree.insert(
                        format!("{prefix}{name}"),
                        String::from_utf8(content).unwrap(),
                    );
                }
                Err(_) => walk(files, &path, &format!("{prefix}{name}/"), tree),
            }
        }
    }
    let mut tree = BTreeMap::new();
    walk(files, top, "", &mut tree);
    tree
}
