//! The files of a finished load: JSON, CSV, histogram logs, and one HTML page that needs nothing else. It reads
//! results and measures nothing. `docs/loadtest-results.md` describes the files.

mod csv;
mod curves;
#[cfg(test)]
mod example;
mod hlog;
mod junit;
mod page;
#[cfg(test)]
mod schema_test;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use crate::{record::Metric, results::Results};

/// The paths of a written report.
#[derive(Debug)]
pub(crate) struct Written {
    /// The page to open: `report.html`.
    pub(crate) page: PathBuf,
    /// All files, the page included.
    pub(crate) files: Vec<PathBuf>,
}

/// Writes the report of a load into a folder. Makes the folder if necessary, and overwrites files of the same names.
///
/// # Errors
/// When a file cannot be written, or a histogram in the results cannot be read; the error names it.
pub(crate) fn write(results: &Results, folder: &Path) -> anyhow::Result<Written> {
    let decoded = curves::decode_all(results)?;
    let json = serde_json::to_vec_pretty(results).context("results as JSON")?;
    let mut contents: Vec<(String, Vec<u8>)> = vec![
        ("results.json".to_owned(), json),
        ("series.csv".to_owned(), csv::series(results).into_bytes()),
    ];
    for metric in Metric::ALL {
        if let Some(log) = hlog::log(results, &decoded, metric)? {
            contents.push((format!("{}.hlog", metric.name()), log));
        }
    }
    let names: Vec<&str> = contents.iter().map(|(name, _)| name.as_str()).collect();
    let page = page::page(results, &decoded, &names)?;
    contents.push(("report.html".to_owned(), page.into_bytes()));

    make_folder(folder)?;
    let mut files = Vec::new();
    for (name, content) in contents {
        let path = folder.join(name);
        fs::write(&path, content).with_context(|| format!("{} cannot be written", path.display()))?;
        files.push(path);
    }
    Ok(Written {
        page: folder.join("report.html"),
        files,
    })
}

/// Makes a folder for files of a report, if it is not there.
///
/// # Errors
/// When it cannot be made; the error names it.
pub(crate) fn make_folder(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("the folder {} cannot be made", folder.display()))
}

/// Writes the verdicts as JUnit XML.
///
/// # Errors
/// When the file cannot be written; the error names it.
pub(crate) fn write_junit(results: &Results, file: &Path) -> anyhow::Result<()> {
    fs::write(file, junit::junit(results)).with_context(|| format!("{} cannot be written", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_written_with_all_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let results = example::results();
        let written = write(&results, &folder.path().join("a/b")).unwrap();
        let is_full = |file: &PathBuf| file.metadata().unwrap().len() > 0;
        assert!(written.files.iter().all(is_full));
        assert_eq!(written.files.len(), 3 + results.runs[0].times.len());
        let json = fs::read(folder.path().join("a/b/results.json")).unwrap();
        let read: Results = serde_json::from_slice(&json).unwrap();
        assert_eq!(read.runs.len(), 2);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = write(&example::results(), &file.path().join("under")).unwrap_err();
        assert!(format!("{error:#}").contains("under"), "{error:#}");
    }
}
