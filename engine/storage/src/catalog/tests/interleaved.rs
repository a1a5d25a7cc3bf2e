//! Several processes on one log, in any order of steps, against a plain set.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// What one of the processes does next.
#[derive(Clone, Debug)]
enum Step {
    /// Adds a segment.
    Append,
    /// Replaces some of the segments that it knows by one.
    Compact(u8),
    /// Removes what it knows to be live, without a replacement.
    Drop(u8),
    /// Takes in what others did.
    Refresh,
    /// Writes a checkpoint.
    Checkpoint,
    /// Writes a checkpoint that is cut off.
    TornCheckpoint,
    /// Ends and starts again.
    Restart,
    /// Ends after a commit has landed, before it has heard of it, and starts again.
    CrashAfterCommit,
    /// Everything in the log grows old and is cleaned up.
    CleanUp,
}

fn step() -> impl Strategy<Value = (usize, Step)> {
    let step = prop_oneof![
        6 => Just(Step::Append),
        3 => any::<u8>().prop_map(Step::Compact),
        1 => any::<u8>().prop_map(Step::Drop),
        2 => Just(Step::Refresh),
        2 => Just(Step::Checkpoint),
        1 => Just(Step::TornCheckpoint),
        1 => Just(Step::Restart),
        1 => Just(Step::CrashAfterCommit),
        1 => Just(Step::CleanUp),
    ];
    (0..3_usize, step)
}

/// A process: its catalog, and what its readers were shown.
struct Process {
    name: String,
    catalog: Catalog,
    shown: BTreeSet<String>,
    applied: u64,
}

struct World {
    dir: tempfile::TempDir,
    objects: Objects,
    processes: Vec<Process>,
    /// The live segments, as the commits that were made say.
    model: BTreeSet<String>,
    made: usize,
}

fn paths<'a>(segments: impl Iterator<Item = &'a Arc<Segment>>) -> BTreeSet<String> {
    segments.map(|segment| segment.path.clone()).collect()
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let objects = Objects::local(dir.path()).unwrap();
        let mut processes = Vec::new();
        for at in 0..3 {
            let name = format!("w{at}");
            let catalog = load(&objects, &name).await;
            processes.push(Process { name, catalog, shown: BTreeSet::new(), applied: 0 });
        }
        Self { dir, objects, processes, model: BTreeSet::new(), made: 0 }
    }

    async fn restart(&mut self, at: usize) {
        let catalog = load(&self.objects, &self.processes[at].name).await;
        let log = catalog.lock().await;
        self.processes[at].shown = paths(log.live());
        self.processes[at].applied = log.applied();
        drop(log);
        self.processes[at].catalog = catalog;
    }

    /// Shows readers what was committed; each segment appears and goes once.
    async fn show(&mut self, at: usize) {
        let process = &mut self.processes[at];
        let mut log = process.catalog.lock().await;
        for delta in log.take_unpublished() {
            for segment in delta.removes {
                assert!(process.shown.remove(&segment.path), "{} goes twice", segment.path);
            }
            for segment in delta.adds {
                assert!(process.shown.insert(segment.path.clone()), "{} twice", segment.path);
            }
        }
        assert_eq!(process.shown, paths(log.live()));
    }

    fn new_segment(&mut self) -> String {
        self.made += 1;
        format!("{:04}.parquet", self.made)
    }

    /// Commits a change and keeps the model; whether it was made.
    async fn commit(&mut self, at: usize, change: &Change) -> bool {
        let process = &self.processes[at];
        match process.catalog.lock().await.commit(change).await {
            Ok(_) => {
                for segment in &change.removes {
                    assert!(self.model.remove(&segment.path), "{} was gone", segment.path);
                }
                self.model.extend(change.adds.iter().map(|segment| segment.path.clone()));
                true
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
                let gone = |of: &Arc<Segment>| !self.model.contains(&of.path);
                assert!(change.removes.iter().any(gone), "{error}, but all are live");
                false
            }
        }
    }

    async fn replace(&mut self, at: usize, choice: u8, adds: bool) {
        let known: Vec<_> = self.processes[at].catalog.lock().await.live().cloned().collect();
        let mut removes = known;
        removes.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        let mut index = 0;
        removes.retain(|_| {
            index += 1;
            choice >> (index % 8) & 1 == 1
        });
        let adds = if adds { vec![segment(&self.new_segment())] } else { Vec::new() };
        let change = Change { operation: Operation::Compact, adds, removes, applied: None };
        self.commit(at, &change).await;
    }

    async fn append(&mut self, at: usize) {
        let name = self.new_segment();
        self.processes[at].applied += 1;
        let change = write(&[&name], self.processes[at].applied);
        assert!(self.commit(at, &change).await, "appending never conflicts");
        let process = &self.processes[at];
        assert_eq!(process.catalog.lock().await.applied(), process.applied);
        // Told again, as after a lost answer, it is not made again.
        let version = process.catalog.lock().await.commit(&change).await.unwrap().version;
        assert_eq!(Some(version), process.catalog.lock().await.version());
    }

    async fn take(&mut self, at: usize, step: Step) {
        let day = Duration::from_secs(24 * 3600);
        let log = self.dir.path().join("metric_samples/_delta_log");
        match step {
            Step::Append => self.append(at).await,
            Step::Compact(choice) => self.replace(at, choice, true).await,
            Step::Drop(choice) => self.replace(at, choice, false).await,
            Step::Refresh => {
                let catalog = &self.processes[at].catalog;
                catalog.lock().await.tail().await.unwrap();
                catalog.lock().await.catch_up().await.unwrap();
                assert_eq!(paths(catalog.lock().await.live()), self.model);
            }
            Step::Checkpoint => {
                self.processes[at].catalog.checkpoint(1, day).await.unwrap();
            }
            Step::TornCheckpoint => {
                let version = self.processes[at].catalog.lock().await.version();
                let Some(version) = version else { return };
                let path = log.join(format!("{version:020}.checkpoint.parquet"));
                if !path.exists() {
                    std::fs::write(path, b"PAR1torn").unwrap();
                }
            }
            Step::Restart => self.restart(at).await,
            Step::CrashAfterCommit => {
                let name = self.new_segment();
                let applied = self.processes[at].applied + 1;
                self.commit(at, &write(&[&name], applied)).await;
                self.restart(at).await;
                assert_eq!(self.processes[at].applied, applied);
            }
            Step::CleanUp => {
                let then = std::time::SystemTime::now() - 2 * day;
                for entry in std::fs::read_dir(&log).into_iter().flatten() {
                    let file = std::fs::File::options().append(true).open(entry.unwrap().path());
                    file.unwrap().set_modified(then).unwrap();
                }
                self.processes[at].catalog.clean_up(day).await.unwrap();
            }
        }
        self.show(at).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn all_agree_in_the_end(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new().await;
            for (at, step) in steps {
                world.take(at, step).await;
            }
            for at in 0..world.processes.len() {
                world.take(at, Step::Refresh).await;
                assert_eq!(world.processes[at].shown, world.model);
                world.restart(at).await;
                assert_eq!(world.processes[at].shown, world.model);
            }
        });
    }
}
