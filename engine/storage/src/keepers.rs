//! Who keeps something of segments for the next reader, and is told when they are not live any
//! more: nobody asks for them then, and what is kept of them would only be driven out by and by.

use std::fmt;
use std::sync::{Arc, Weak};

use parking_lot::RwLock;

use crate::Segment;

/// Somebody who keeps something of segments, such as a cache.
pub trait Keeper: Send + Sync {
    /// Gives up what is kept of the segments at these paths, which are not live any more. Readers
    /// whose snapshot is older may still ask for them. Called without locks of the live set.
    fn forget(&self, paths: &[&str]);
}

/// All who want to be told.
#[derive(Default)]
pub(crate) struct Keepers(RwLock<Vec<Weak<dyn Keeper>>>);

impl fmt::Debug for Keepers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keepers").field(&self.0.read().len()).finish()
    }
}

impl Keepers {
    /// From now on this one is told, too, as long as it lives.
    pub(crate) fn add(&self, keeper: Weak<dyn Keeper>) {
        let mut keepers = self.0.write();
        keepers.retain(|keeper| keeper.strong_count() > 0);
        keepers.push(keeper);
    }

    /// Tells all of segments that are not live any more.
    pub(crate) fn forget(&self, segments: &[Arc<Segment>]) {
        if segments.is_empty() {
            return;
        }
        let paths: Vec<&str> = segments.iter().map(|segment| segment.path.as_str()).collect();
        let keepers: Vec<_> = self.0.read().iter().filter_map(Weak::upgrade).collect();
        for keeper in keepers {
            keeper.forget(&paths);
        }
    }
}
