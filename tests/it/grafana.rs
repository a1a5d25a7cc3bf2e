//! The files that start Grafana beside the engine: valid, and about the same things.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::clients::{python, run};
use crate::tidy::root;

#[test]
fn compose_starts_the_engine_and_grafana() {
    let Some(compose) = yaml(&root().join("docker-compose.yml")) else { return };
    let services = compose["services"].as_object().expect("services");
    assert!(services.contains_key("grafana"), "a service named grafana");
    let ports: Vec<String> = services
        .values()
        .filter_map(|service| service["ports"].as_array())
        .flatten()
        .map(ToString::to_string)
        .collect();
    for port in ["7400", "3000", "4317", "4318"] {
        assert!(ports.iter().any(|mapping| mapping.contains(port)), "no port {port} in {ports:?}");
    }
    let mounts = services["grafana"]["volumes"].to_string();
    assert!(mounts.contains("/etc/grafana/provisioning"), "provisioning is not mounted: {mounts}");
    for mount in services["grafana"]["volumes"].as_array().expect("volumes") {
        let source = mount.as_str().unwrap_or_default().split(':').next().unwrap_or_default();
        if source.starts_with("./") {
            assert!(root().join(source).exists(), "{source} is mounted and does not exist");
        }
    }
}

#[test]
fn datasources_are_complete() {
    let Some(sources) = datasources() else { return };
    for source in &sources {
        for key in ["name", "uid", "type", "access", "url"] {
            assert!(source[key].is_string(), "{key} is missing: {source}");
        }
    }
    for (kind, path) in [("prometheus", "/prometheus"), ("loki", "/loki"), ("tempo", "/tempo")] {
        let source = sources.iter().find(|source| source["type"] == kind).expect(kind);
        let url = source["url"].as_str().unwrap_or_default();
        assert!(url.ends_with(path), "{kind}: {url} does not end with {path}");
    }
    let uids: Vec<&str> = sources.iter().filter_map(|source| source["uid"].as_str()).collect();
    for uid in references(&Value::from(sources.clone()), "datasourceUid") {
        assert!(uids.contains(&uid.as_str()), "a link leads to {uid}, which is not provisioned");
    }
}

#[test]
fn dashboards_ask_provisioned_datasources() {
    let Some(sources) = datasources() else { return };
    let uids: Vec<&str> = sources.iter().filter_map(|source| source["uid"].as_str()).collect();
    let files = files(&root().join("grafana"), "json");
    assert!(!files.is_empty(), "there are dashboards");
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let dashboard: Value = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for key in ["title", "uid"] {
            assert!(dashboard[key].is_string(), "{}: no {key}", file.display());
        }
        assert!(dashboard["panels"].as_array().is_some_and(|panels| !panels.is_empty()));
        for uid in references(&dashboard["panels"], "uid") {
            let known =
                uids.contains(&uid.as_str()) || uid.starts_with('$') || uid == "-- Mixed --";
            assert!(known, "{}: datasource {uid} is not provisioned", file.display());
        }
    }
}

#[test]
fn a_provider_names_the_dashboards_folder() {
    let providers: Option<Vec<Value>> =
        files(&root().join("grafana"), "yaml").iter().map(|file| yaml(file)).collect();
    let Some(files) = providers else { return };
    let provider = files.iter().find(|file| file["providers"].is_array()).expect("a provider");
    assert_eq!(provider["apiVersion"], 1);
    assert!(provider["providers"][0]["options"]["path"].is_string());
}

/// All provisioned datasources; `None` where YAML cannot be read.
fn datasources() -> Option<Vec<Value>> {
    let mut sources = Vec::new();
    for file in files(&root().join("grafana"), "yaml") {
        let file = yaml(&file)?;
        if let Some(listed) = file["datasources"].as_array() {
            assert_eq!(file["apiVersion"], 1);
            sources.extend(listed.iter().cloned());
        }
    }
    assert!(!sources.is_empty(), "there are datasources");
    Some(sources)
}

fn yaml(file: &Path) -> Option<Value> {
    let script = root().join("tests/clients/yaml_to_json.py");
    let json = run(&python()?, &[script.to_str().unwrap(), file.to_str().unwrap()]);
    Some(serde_json::from_str(&json).unwrap())
}

/// Texts under this key, anywhere inside.
fn references(value: &Value, key: &str) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(|item| references(item, key)).collect(),
        Value::Object(entries) => {
            let here = entries.get(key).and_then(Value::as_str).map(str::to_owned);
            here.into_iter()
                .chain(entries.values().flat_map(|item| references(item, key)))
                .collect()
        }
        _ => Vec::new(),
    }
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found
}
