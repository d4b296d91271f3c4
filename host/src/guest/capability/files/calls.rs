//! The calls of `wasi:filesystem`: each is wasmtime's own; those that take a path are
//! told in the log where they are denied.

use wasmtime::component::{HasData, Linker, Resource};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    self, Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry,
    DirectoryEntryStream, ErrorCode, Filesize, HostDescriptor, HostDirectoryEntryStream,
    MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult};

use super::{FolderView, is_nowhere};
use crate::guest::grants::Access;
use crate::guest::store::GuestData;

impl HasData for FolderView<'static> {
    type Data<'a> = FolderView<'a>;
}

/// Puts these in place of those that wasmtime has. Shadowing has to be allowed.
///
/// # Errors
///
/// Where it is not.
pub fn add_to_linker(linker: &mut Linker<GuestData>) -> wasmtime::Result<()> {
    preopens::add_to_linker::<_, FolderView<'static>>(linker, GuestData::folders)?;
    types::add_to_linker::<_, FolderView<'static>>(linker, GuestData::folders)
}

type Fd = Resource<Descriptor>;

impl FolderView<'_> {
    fn inner(&mut self) -> WasiFilesystemCtxView<'_> {
        WasiFilesystemCtxView {
            ctx: self.wasi,
            table: self.table,
        }
    }

    /// Answers for wasmtime where nothing is to be found anyway.
    fn before(&self, fd: &Fd, path: &str, access: Access) -> FsResult<Asked> {
        let asked = Asked {
            // The call takes the handle itself.
            fd: Resource::new_borrow(fd.rep()),
            path: path.to_owned(),
            access,
        };
        match self.table.get(fd)? {
            Descriptor::Dir(dir) if is_nowhere(dir) => {
                self.after(&asked, Err(ErrorCode::NotPermitted.into()))?;
                Ok(asked)
            }
            _ => Ok(asked),
        }
    }

    /// Tells of a denial; passes the answer on.
    fn after<T>(&self, asked: &Asked, answer: FsResult<T>) -> FsResult<T> {
        if let Err(error) = &answer
            && matches!(error.downcast_ref(), Some(ErrorCode::NotPermitted))
            && let Ok(Descriptor::Dir(dir)) = self.table.get(&asked.fd)
        {
            self.folders.tell(dir, &asked.path, asked.access);
        }
        answer
    }

    /// As `after`, for a call on two paths: tells of the one that is at fault.
    fn after_two(&self, old: &Asked, new: &Asked, answer: FsResult<()>) -> FsResult<()> {
        let at_fault = |asked: &Asked| match self.table.get(&asked.fd) {
            Ok(Descriptor::Dir(dir)) => self.folders.is_beyond(dir, &asked.path),
            _ => false,
        };
        let asked = if at_fault(new) && !at_fault(old) {
            new
        } else {
            old
        };
        self.after(asked, answer)
    }
}

/// What a call with a path asked for.
struct Asked {
    fd: Fd,
    path: String,
    access: Access,
}

impl preopens::Host for FolderView<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Fd, String)>> {
        self.folders.preopens(self.table)
    }
}

impl types::Host for FolderView<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        self.inner().convert_error_code(error)
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        self.inner().filesystem_error_code(error)
    }
}

/// Calls without a path.
macro_rules! passed_on {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        $(async fn $name(&mut self, fd: Fd, $($argument: $type),*) -> $answer {
            self.inner().$name(fd, $($argument),*).await
        })*
    };
}

/// Calls on one path, with what they do there.
macro_rules! on_a_path {
    ($($access:ident $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        $(async fn $name(&mut self, fd: Fd, $($argument: $type),*) -> FsResult<$answer> {
            let asked = self.before(&fd, &path_of!($($argument),*), Access::$access)?;
            let answer = self.inner().$name(fd, $($argument),*).await;
            self.after(&asked, answer)
        })*
    };
}

/// The last argument, or the one after the flags.
macro_rules! path_of {
    ($path:ident) => {
        $path
    };
    ($flags:ident, $path:ident $(, $more:ident)*) => {
        $path
    };
}

impl HostDescriptor for FolderView<'_> {
    passed_on! {
        advise(offset: Filesize, length: Filesize, advice: Advice) -> FsResult<()>;
        sync_data() -> FsResult<()>;
        get_flags() -> FsResult<DescriptorFlags>;
        get_type() -> FsResult<DescriptorType>;
        set_size(size: Filesize) -> FsResult<()>;
        set_times(accessed: NewTimestamp, modified: NewTimestamp) -> FsResult<()>;
        read(length: Filesize, offset: Filesize) -> FsResult<(Vec<u8>, bool)>;
        write(bytes: Vec<u8>, offset: Filesize) -> FsResult<Filesize>;
        read_directory() -> FsResult<Resource<DirectoryEntryStream>>;
        sync() -> FsResult<()>;
        stat() -> FsResult<DescriptorStat>;
        metadata_hash() -> FsResult<MetadataHashValue>;
        is_same_object(other: Fd) -> wasmtime::Result<bool>;
    }

    on_a_path! {
        Write create_directory_at(path: String) -> ();
        Read stat_at(flags: PathFlags, path: String) -> DescriptorStat;
        Write set_times_at(flags: PathFlags, path: String, accessed: NewTimestamp, modified: NewTimestamp) -> ();
        Read readlink_at(path: String) -> String;
        Write remove_directory_at(path: String) -> ();
        Write unlink_file_at(path: String) -> ();
        Read metadata_hash_at(flags: PathFlags, path: String) -> MetadataHashValue;
    }

    async fn open_at(
        &mut self,
        fd: Fd,
        flags: PathFlags,
        path: String,
        open: OpenFlags,
        descriptor: DescriptorFlags,
    ) -> FsResult<Fd> {
        let writes = open.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE)
            || descriptor.intersects(DescriptorFlags::WRITE | DescriptorFlags::MUTATE_DIRECTORY);
        let access = if writes { Access::Write } else { Access::Read };
        let asked = self.before(&fd, &path, access)?;
        let answer = self
            .inner()
            .open_at(fd, flags, path, open, descriptor)
            .await;
        self.after(&asked, answer)
    }

    async fn symlink_at(&mut self, fd: Fd, target: String, path: String) -> FsResult<()> {
        let asked = self.before(&fd, &path, Access::Write)?;
        let answer = self.inner().symlink_at(fd, target, path).await;
        self.after(&asked, answer)
    }

    async fn link_at(
        &mut self,
        fd: Fd,
        flags: PathFlags,
        path: String,
        new_fd: Fd,
        new_path: String,
    ) -> FsResult<()> {
        let old = self.before(&fd, &path, Access::Write)?;
        let new = self.before(&new_fd, &new_path, Access::Write)?;
        let answer = self
            .inner()
            .link_at(fd, flags, path, new_fd, new_path)
            .await;
        self.after_two(&old, &new, answer)
    }

    async fn rename_at(
        &mut self,
        fd: Fd,
        path: String,
        new_fd: Fd,
        new_path: String,
    ) -> FsResult<()> {
        let old = self.before(&fd, &path, Access::Write)?;
        let new = self.before(&new_fd, &new_path, Access::Write)?;
        let answer = self.inner().rename_at(fd, path, new_fd, new_path).await;
        self.after_two(&old, &new, answer)
    }

    fn read_via_stream(&mut self, fd: Fd, offset: Filesize) -> FsResult<Resource<DynInputStream>> {
        self.inner().read_via_stream(fd, offset)
    }

    fn write_via_stream(
        &mut self,
        fd: Fd,
        offset: Filesize,
    ) -> FsResult<Resource<DynOutputStream>> {
        self.inner().write_via_stream(fd, offset)
    }

    fn append_via_stream(&mut self, fd: Fd) -> FsResult<Resource<DynOutputStream>> {
        self.inner().append_via_stream(fd)
    }

    fn drop(&mut self, fd: Fd) -> wasmtime::Result<()> {
        HostDescriptor::drop(&mut self.inner(), fd)
    }
}

impl HostDirectoryEntryStream for FolderView<'_> {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        self.inner().read_directory_entry(stream).await
    }

    fn drop(&mut self, stream: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        HostDirectoryEntryStream::drop(&mut self.inner(), stream)
    }
}
