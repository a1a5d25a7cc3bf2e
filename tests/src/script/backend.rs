//! Where cases are run: the engine in this process, or a server that is asked over HTTP.

use schemas::model::StepGrid;

use super::engine::{Answered, BoxError, Engine, Place, Refusal};
use super::remote::Remote;
use super::series::Series;

/// Where samples are loaded and queries are run.
#[derive(Debug)]
pub(super) enum Backend {
    /// In this process.
    Local(Box<Engine>),
    /// On a server.
    Remote(Remote),
}

impl Backend {
    /// A backend without samples for the cases of a file.
    pub(super) async fn open(place: Place, file: &str) -> Result<Self, BoxError> {
        match place {
            Place::Server(url) => Ok(Self::Remote(Remote::open(&url, file)?)),
            place => Ok(Self::Local(Box::new(Engine::open(place).await?))),
        }
    }

    /// Forgets all samples.
    pub(super) fn clear(&mut self) {
        match self {
            Self::Local(engine) => engine.clear(),
            Self::Remote(remote) => remote.clear(),
        }
    }

    /// Stores samples, the i-th of each series at `i * interval_ms`.
    pub(super) async fn load(&self, interval_ms: i64, series: &[Series]) -> Result<(), BoxError> {
        match self {
            Self::Local(engine) => engine.load(interval_ms, series).await,
            Self::Remote(remote) => remote.load(interval_ms, series).await,
        }
    }

    /// The samples that a range selector selects at a time, each at a step of the grid `shown`.
    pub(super) async fn samples(
        &self,
        text: &str,
        at: StepGrid,
        shown: StepGrid,
    ) -> Result<Answered, Refusal> {
        match self {
            Self::Local(engine) => engine.samples(text, at, shown).await,
            Self::Remote(remote) => remote.ask(text, at, shown).await,
        }
    }

    /// The answer to a query at the steps of a grid.
    pub(super) async fn query(&self, text: &str, grid: StepGrid) -> Result<Answered, Refusal> {
        match self {
            Self::Local(engine) => engine.query(text, grid).await,
            Self::Remote(remote) => remote.query(text, grid).await,
        }
    }
}
