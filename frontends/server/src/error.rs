//! Why a command failed.

use std::fmt::Write as _;

/// Why a command failed; its message and its sources are what the user sees.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] crate::config::Error),
    /// The arguments of the command are wrong.
    #[error("{0}")]
    Usage(String),
    /// The operating system refused.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// The lake cannot be opened or closed.
    #[error("{what}")]
    Store {
        /// What was tried.
        what: String,
        /// Why it failed.
        #[source]
        source: storage::Error,
    },
    /// Something stored is damaged; what, is printed.
    #[error("{0} damages found")]
    Damaged(u64),
    /// Whether something is damaged cannot be told.
    #[error("the lake cannot be verified")]
    Unverified(#[source] Box<Error>),
    /// The engine cannot be started.
    #[error("cannot start the query engine")]
    Engine(#[source] exec::Error),
    /// The object store's options are not usable.
    #[error("cannot use the object store")]
    Objects(#[source] object_store::Error),
    /// No answer from a server.
    #[error("no answer from {url}")]
    Unreachable {
        /// The server.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// A server answered with an error.
    #[error("{status}: {message}")]
    Refused {
        /// Its status.
        status: reqwest::StatusCode,
        /// What it said.
        message: String,
    },
    /// An answer that cannot be read.
    #[error("cannot read the answer")]
    Answer(#[source] serde_json::Error),
    /// Telemetry could not be sent.
    #[error("cannot send telemetry")]
    Send(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// What the program exits with: 2 if it was asked whether there is damage and cannot tell.
    pub(crate) fn exit_code(&self) -> std::process::ExitCode {
        match self {
            Self::Unverified(_) => std::process::ExitCode::from(2),
            _ => std::process::ExitCode::FAILURE,
        }
    }

    /// An error of the operating system, with what was tried.
    pub(crate) fn io(what: impl Into<String>, source: std::io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }

    /// The message with all its sources on one line.
    pub(crate) fn full_message(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            write!(text, ": {}", error.to_string().trim_end())
                .expect("writing to a string cannot fail");
            source = error.source();
        }
        text
    }
}
