//! Checks on the code itself: who may depend on whom, how long a file may be, what it opens with.

use std::fs;
use std::path::{Path, PathBuf};

/// Workspace crates in reading order, each with its folder and the crates it may name.
const ALLOWED: &[(&str, &str, &[&str])] = &[
    ("schemas", "schemas", &[]),
    ("storage", "engine/storage", &["schemas"]),
    ("plan", "engine/plan", &["schemas"]),
    ("exec", "engine/exec", &["plan", "storage", "schemas"]),
    ("ingest", "ingest", &["storage", "schemas"]),
    ("promql", "frontends/promql", &["plan", "schemas"]),
    ("logql", "frontends/logql", &["plan", "schemas"]),
    ("traceql", "frontends/traceql", &["plan", "schemas"]),
    ("api", "frontends/api", &["promql", "logql", "traceql", "exec", "plan", "schemas"]),
    ("flight", "frontends/flight", &["exec", "schemas"]),
    ("server", "frontends/server", &["api", "flight", "ingest", "exec", "storage", "schemas"]),
    // Sees the program from outside only, as its users do.
    ("benches", "benches", &[]),
    // As do the tests, but for the runner of query cases, which holds the engine itself.
    ("tests", "tests", &["exec", "plan", "promql", "logql", "storage", "schemas"]),
];

/// Lines of code a file may hold, its tests (in `tests.rs`) not counted.
const FILE_LINES_MAX: usize = 500;

/// Names under which things are put that nobody thought about.
const MODULE_NAMES_FORBIDDEN: &[&str] =
    &["util", "utils", "common", "helper", "helpers", "misc", "manager"];

#[test]
fn dependencies_point_one_way() {
    for (name, path, allowed) in ALLOWED {
        let manifest = fs::read_to_string(root().join(path).join("Cargo.toml")).unwrap();
        for (other, _, _) in ALLOWED {
            let names = |line: &str| {
                line.starts_with(&format!("{other}.")) || line.starts_with(&format!("{other} ="))
            };
            let depends = manifest.lines().any(names);
            assert!(!depends || allowed.contains(other), "{name} must not depend on {other}");
        }
    }
}

#[test]
fn every_crate_is_in_the_table() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let members = manifest.split("members = [").nth(1).unwrap().split(']').next().unwrap();
    let members: Vec<&str> = members.split('"').skip(1).step_by(2).collect();
    let table: Vec<&str> = ALLOWED.iter().map(|(_, path, _)| *path).collect();
    for member in &members {
        assert!(table.contains(member), "{member} is not in the table of tidy.rs");
    }
    assert_eq!(members.len(), table.len());
}

#[test]
fn files_open_with_a_module_doc_and_stay_short() {
    let mut offences = Vec::new();
    for file in all_files() {
        let text = fs::read_to_string(&file).unwrap();
        let lines = text.lines().count();
        if !text.starts_with("//!") {
            offences.push(format!("{}: no module doc", file.display()));
        }
        if !is_test(&file) && lines > FILE_LINES_MAX {
            offences.push(format!("{}: {lines} lines", file.display()));
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn modules_are_named_after_what_they_hold() {
    for file in all_files() {
        let stem = file.file_stem().unwrap().to_str().unwrap();
        let folder = file.parent().unwrap().file_name().unwrap().to_str().unwrap();
        for name in [stem, folder] {
            assert!(
                !MODULE_NAMES_FORBIDDEN.contains(&name),
                "{}: a name for nothing",
                file.display()
            );
        }
    }
}

#[test]
fn libraries_do_not_print() {
    for (name, path, _) in ALLOWED {
        if ["server", "benches", "tests"].contains(name) {
            continue;
        }
        let files = rust_files(&root().join(path).join("src"));
        for file in files.iter().filter(|file| !is_test(file)) {
            let text = fs::read_to_string(file).unwrap();
            let prints = text.lines().any(|line| {
                let line = line.trim_start();
                !line.starts_with("//") && (line.contains("println!(") || line.contains("print!("))
            });
            assert!(!prints, "{}: a library prints; use tracing", file.display());
        }
    }
}

#[test]
fn the_readme_knows_every_crate() {
    let readme = fs::read_to_string(root().join("README.md")).expect("there is a README.md");
    for (name, ..) in ALLOWED {
        assert!(readme.contains(&format!("`{name}`")), "README.md does not mention {name}");
    }
}

/// Unit tests stand in files of their own; they may say on stderr what they could not find.
fn is_test(file: &Path) -> bool {
    file.ends_with("tests.rs")
}

fn all_files() -> Vec<PathBuf> {
    let folders = ALLOWED
        .iter()
        .map(|(name, path, _)| root().join(path).join(if *name == "tests" { "it" } else { "src" }));
    folders.flat_map(|folder| rust_files(&folder)).collect()
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            files.push(path);
        }
    }
    files
}

/// The folder of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}
