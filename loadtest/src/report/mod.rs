//! A finished load on paper: JSON, CSV, hlog, and one HTML page that needs nothing else. It reads results and
//! measures nothing. `docs/loadtest-results.md` describes the files.

mod chart;
mod checks;
mod course;
mod csv;
mod curves;
mod figures;
mod healing;
mod hlog;
mod page;
mod picture;
mod run;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod schema_test;
mod servers;
mod surroundings;
mod times;
mod words;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

pub(crate) use picture::picture;

use crate::{record::Metric, results::Results};

/// The paths of a written report.
#[derive(Debug)]
pub(crate) struct Written {
    /// The page to look at: `report.html`.
    pub(crate) page: PathBuf,
    /// All files, the page too.
    pub(crate) files: Vec<PathBuf>,
}

/// Writes the report of a load into a folder, which is made if it is not there; files of the same names are
/// overwritten.
///
/// # Errors
/// When a file cannot be written, or when a histogram in the results cannot be read; names which.
pub(crate) fn write(results: &Results, folder: &Path) -> anyhow::Result<Written> {
    let numbered = results.runs.iter().enumerate();
    let decoded = numbered
        .map(|(index, run)| curves::decode(index + 1, run))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut contents: Vec<(String, Vec<u8>)> = vec![
        (
            "results.json".to_owned(),
            serde_json::to_vec_pretty(results).context("results as JSON")?,
        ),
        ("series.csv".to_owned(), csv::series(results).into_bytes()),
    ];
    for metric in Metric::ALL {
        if let Some(log) = hlog::log(results, &decoded, metric)? {
            contents.push((format!("{}.hlog", metric.name()), log));
        }
    }
    let names: Vec<&str> = contents.iter().map(|(name, _)| name.as_str()).collect();
    let page = page::page(results, &decoded, &names);
    contents.push(("report.html".to_owned(), page.into_bytes()));

    fs::create_dir_all(folder)
        .with_context(|| format!("the report's folder {} cannot be made", folder.display()))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_written_with_all_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let results = sample::results();
        let written = write(&results, &folder.path().join("a/b")).unwrap();
        assert!(
            written
                .files
                .iter()
                .all(|file| file.metadata().unwrap().len() > 0)
        );
        assert_eq!(written.files.len(), 3 + Metric::ALL.len());
        let json = fs::read(folder.path().join("a/b/results.json")).unwrap();
        let read: Results = serde_json::from_slice(&json).unwrap();
        assert_eq!(read.runs.len(), 2);
        // For a look at it while working on it.
        if let Ok(kept) = std::env::var("SWITCHBOARD_REPORT_SAMPLE") {
            write(&results, &Path::new(&kept).join("ok")).unwrap();
            write(&sample::with_a_loss(), &Path::new(&kept).join("loss")).unwrap();
            fs::write(Path::new(&kept).join("picture.svg"), picture(&results)).unwrap();
        }
    }

    #[test]
    fn a_folder_that_cannot_be_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = write(&sample::results(), &file.path().join("under")).unwrap_err();
        assert!(format!("{error:#}").contains("under"), "{error:#}");
    }
}
