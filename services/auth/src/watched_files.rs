//! Files and folders that a process reads again while it runs: their contents, whether these changed, and whether they have
//! settled. Not their meaning (`key_files`, `key_client`), and not the times of reading (`node`).
//!
//! Kubernetes replaces mounted files by one rename of a symbolic link, and people write files in place. A change counts only
//! when two reads in a row see the same contents, so that no half of a file is ever used.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{Context, SHA256, SHA256_OUTPUT_LEN};
use parking_lot::Mutex;

/// One file, or the files of a folder with an extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watched {
    /// A file.
    File {
        /// Where it is.
        path: PathBuf,
        /// Its largest size, in bytes.
        max_bytes: u64,
    },
    /// The files of a folder. Folders within it are not read.
    Folder {
        /// Where it is.
        path: PathBuf,
        /// The extension of the files that count, without a dot.
        extension: &'static str,
        /// The most of these files.
        max_files: usize,
        /// The largest size of each, in bytes.
        max_bytes: u64,
    },
}

/// What one read of all watched files found. An error is a finding of its file, and costs no other.
#[derive(Default)]
pub struct Contents {
    files: BTreeMap<PathBuf, io::Result<Vec<u8>>>,
    folders: BTreeMap<PathBuf, io::Result<Vec<PathBuf>>>,
}

/// A file of a watched folder. Without `Debug`, because it may hold a secret.
#[derive(Clone, Copy)]
pub struct FolderFile<'c> {
    /// Its name without the extension.
    pub stem: &'c str,
    /// Where it is.
    pub path: &'c Path,
    /// What it holds.
    pub bytes: &'c [u8],
}

/// The outcome of reading files again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// They are as before.
    Unchanged,
    /// They differ since this read; the next one decides.
    Settling,
    /// They differ, and the new contents are in use.
    Changed,
}

/// Files with the contents that were used last.
pub struct WatchedFiles {
    watched: Vec<Watched>,
    seen: Mutex<Seen>,
}

type Fingerprint = [u8; SHA256_OUTPUT_LEN];

struct Seen {
    /// Of the contents that were given out last, good or bad.
    used: Fingerprint,
    /// Of other contents, seen once.
    candidate: Option<Fingerprint>,
}

impl WatchedFiles {
    /// Reads all files for the first time.
    #[must_use]
    pub fn new(watched: Vec<Watched>) -> (Self, Contents) {
        let contents = Contents::read(&watched);
        let seen = Mutex::new(Seen {
            used: contents.fingerprint(),
            candidate: None,
        });
        (Self { watched, seen }, contents)
    }

    /// Whether there is nothing to watch.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.watched.is_empty()
    }

    /// Reads all files again. Contents are given out once, when they have settled and are not those given out last.
    ///
    /// # Errors
    /// Otherwise [`Reload::Unchanged`] or [`Reload::Settling`].
    pub fn poll(&self) -> Result<Contents, Reload> {
        let contents = Contents::read(&self.watched);
        let fingerprint = contents.fingerprint();
        let mut seen = self.seen.lock();
        if fingerprint == seen.used {
            seen.candidate = None;
            return Err(Reload::Unchanged);
        }
        if seen.candidate != Some(fingerprint) {
            seen.candidate = Some(fingerprint);
            return Err(Reload::Settling);
        }
        *seen = Seen {
            used: fingerprint,
            candidate: None,
        };
        Ok(contents)
    }
}

impl Contents {
    fn read(watched: &[Watched]) -> Self {
        let mut contents = Self::default();
        for one in watched {
            match one {
                Watched::File { path, max_bytes } => contents.add_file(path, *max_bytes),
                Watched::Folder {
                    path,
                    extension,
                    max_files,
                    max_bytes,
                } => {
                    let list = list(path, extension, *max_files);
                    for file in list.iter().flatten() {
                        contents.add_file(file, *max_bytes);
                    }
                    contents.folders.insert(path.clone(), list);
                }
            }
        }
        contents
    }

    fn add_file(&mut self, path: &Path, max_bytes: u64) {
        self.files.insert(path.to_owned(), read(path, max_bytes));
    }

    /// The bytes of a watched file.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub fn file(&self, path: &Path) -> Result<&[u8], String> {
        let found = self.files.get(path).map(Result::as_ref);
        match found {
            Some(Ok(bytes)) => Ok(bytes),
            Some(Err(error)) => Err(format!("{} cannot be read: {error}", path.display())),
            None => Err(format!("{} is not watched", path.display())),
        }
    }

    /// The files of a watched folder, in the order of their names.
    ///
    /// # Errors
    /// A sentence that names the folder, or the first file that cannot be read.
    pub fn folder(&self, path: &Path) -> Result<Vec<FolderFile<'_>>, String> {
        let found = self.folders.get(path).map(Result::as_ref);
        let files = match found {
            Some(Ok(files)) => files,
            Some(Err(error)) => return Err(format!("{} cannot be read: {error}", path.display())),
            None => return Err(format!("{} is not watched", path.display())),
        };
        let named = files
            .iter()
            .filter_map(|file| Some((stem(file)?, file.as_path())));
        named
            .map(|(stem, path)| {
                let bytes = self.file(path)?;
                Ok(FolderFile { stem, path, bytes })
            })
            .collect()
    }

    fn fingerprint(&self) -> Fingerprint {
        let mut hash = Context::new(&SHA256);
        let mut add = |bytes: &[u8]| {
            hash.update(&bytes.len().to_le_bytes());
            hash.update(bytes);
        };
        for (path, bytes) in &self.files {
            add(path.as_os_str().as_encoded_bytes());
            match bytes {
                Ok(bytes) => add(bytes),
                Err(error) => add(error.to_string().as_bytes()),
            }
        }
        for (path, files) in &self.folders {
            add(path.as_os_str().as_encoded_bytes());
            match files {
                // The files are hashed above.
                Ok(files) => add(&files.len().to_le_bytes()),
                Err(error) => add(error.to_string().as_bytes()),
            }
        }
        let mut out = [0; SHA256_OUTPUT_LEN];
        out.copy_from_slice(hash.finish().as_ref());
        out
    }
}

fn read(path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    // A pipe gives its contents once, and could block the reader for ever.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(max_bytes + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > max_bytes {
        true => Err(io::Error::other(format!("it is larger than {max_bytes} bytes"))),
        false => Ok(bytes),
    }
}

fn list(folder: &Path, extension: &str, max_files: usize) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|found| found != extension) || stem(&path).is_none() {
            continue;
        }
        if files.len() == max_files {
            let problem = format!("it has more than {max_files} files *.{extension}; remove the old ones");
            return Err(io::Error::other(problem));
        }
        files.push(path);
    }
    files.sort();
    Ok(files)
}

fn stem(path: &Path) -> Option<&str> {
    path.file_stem()?.to_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(folder: &Path) -> (WatchedFiles, Contents) {
        WatchedFiles::new(vec![
            Watched::File {
                path: folder.join("one"),
                max_bytes: 8,
            },
            Watched::Folder {
                path: folder.join("all"),
                extension: "key",
                max_files: 2,
                max_bytes: 8,
            },
        ])
    }

    fn names(contents: &Contents, folder: &Path) -> Vec<String> {
        let files = contents.folder(&folder.join("all")).unwrap();
        files.iter().map(|file| file.stem.to_owned()).collect()
    }

    #[test]
    fn contents_are_given_out_once_after_they_have_settled() {
        let folder = tempfile::tempdir().unwrap();
        let (one, all) = (folder.path().join("one"), folder.path().join("all"));
        fs::create_dir(&all).unwrap();
        fs::write(&one, "a").unwrap();
        let (files, first) = watch(folder.path());
        assert_eq!(first.file(&one).unwrap(), b"a");
        assert_eq!(files.poll().err(), Some(Reload::Unchanged));

        fs::write(&one, "half").unwrap();
        assert_eq!(files.poll().err(), Some(Reload::Settling));
        fs::write(&one, "whole").unwrap();
        assert_eq!(files.poll().err(), Some(Reload::Settling), "it still changes");
        assert_eq!(files.poll().unwrap().file(&one).unwrap(), b"whole");
        assert_eq!(files.poll().err(), Some(Reload::Unchanged));

        fs::write(&one, "blink").unwrap();
        assert_eq!(files.poll().err(), Some(Reload::Settling));
        fs::write(&one, "whole").unwrap();
        assert_eq!(files.poll().err(), Some(Reload::Unchanged), "it was taken back");
    }

    #[test]
    fn a_new_file_a_new_name_and_a_lost_file_of_a_folder_are_changes() {
        let folder = tempfile::tempdir().unwrap();
        let all = folder.path().join("all");
        fs::create_dir(&all).unwrap();
        let (files, _) = watch(folder.path());
        let settled = || {
            assert_eq!(files.poll().err(), Some(Reload::Settling));
            files.poll().unwrap()
        };
        fs::write(all.join("b.key"), "b").unwrap();
        fs::write(all.join("ignored.txt"), "x").unwrap();
        fs::write(all.join(".key"), "x").unwrap();
        assert_eq!(names(&settled(), folder.path()), ["b"]);
        fs::write(all.join("a.key"), "a").unwrap();
        assert_eq!(names(&settled(), folder.path()), ["a", "b"]);
        fs::rename(all.join("a.key"), all.join("c.key")).unwrap();
        assert_eq!(names(&settled(), folder.path()), ["b", "c"]);
        fs::remove_file(all.join("b.key")).unwrap();
        assert_eq!(names(&settled(), folder.path()), ["c"]);
    }

    #[test]
    fn sizes_and_numbers_are_bounded_and_only_regular_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let (one, all) = (folder.path().join("one"), folder.path().join("all"));
        fs::create_dir(&all).unwrap();
        fs::write(&one, "012345678").unwrap();
        for name in ["a.key", "b.key", "c.key"] {
            fs::write(all.join(name), "x").unwrap();
        }
        let (_, contents) = watch(folder.path());
        assert!(contents.file(&one).unwrap_err().contains("larger than 8 bytes"));
        assert!(contents.folder(&all).err().unwrap().contains("more than 2 files"));
        fs::remove_file(all.join("c.key")).unwrap();
        fs::remove_file(all.join("b.key")).unwrap();
        fs::create_dir(all.join("b.key")).unwrap();
        let (_, contents) = watch(folder.path());
        assert!(
            contents
                .folder(&all)
                .err()
                .unwrap()
                .contains("not a regular file")
        );
    }
}
