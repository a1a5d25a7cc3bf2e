//! Label names as small numbers, so that rows compare integers.

use std::collections::HashMap;
use std::sync::Arc;

/// A label name; position in its [`Names`].
pub(super) type NameId = u32;

/// `__error__`, known to every [`Names`].
pub(super) const ERROR: NameId = 0;
/// `__error_details__`, known to every [`Names`].
pub(super) const ERROR_DETAILS: NameId = 1;
/// `detected_level`, known to every [`Names`].
pub(super) const DETECTED_LEVEL: NameId = 2;

/// Behind the name of a label that lost its name to a stronger category.
pub(super) const EXTRACTED: &str = "_extracted";

/// The names that a query or a batch has met.
#[derive(Clone, Debug)]
pub(super) struct Names {
    ids: HashMap<Arc<str>, NameId, ahash::RandomState>,
    texts: Vec<Arc<str>>,
    /// The name with [`EXTRACTED`] behind it, where it was asked for.
    extracted: Vec<Option<NameId>>,
}

impl Names {
    /// The reserved names.
    pub(super) fn new() -> Self {
        let mut names = Self { ids: HashMap::default(), texts: Vec::new(), extracted: Vec::new() };
        for (text, id) in [
            ("__error__", ERROR),
            ("__error_details__", ERROR_DETAILS),
            ("detected_level", DETECTED_LEVEL),
        ] {
            let given = names.id(text);
            debug_assert_eq!(given, id);
        }
        names
    }

    /// The number of a name, given now if it is new.
    pub(super) fn id(&mut self, text: &str) -> NameId {
        if let Some(id) = self.ids.get(text) {
            return *id;
        }
        let id = NameId::try_from(self.texts.len()).expect("a batch has far less than 2^32 labels");
        let text: Arc<str> = text.into();
        self.texts.push(Arc::clone(&text));
        self.extracted.push(None);
        self.ids.insert(text, id);
        id
    }

    /// The number of a name, if it has one.
    pub(super) fn find(&self, text: &str) -> Option<NameId> {
        self.ids.get(text).copied()
    }

    /// The name's text.
    pub(super) fn text(&self, id: NameId) -> &Arc<str> {
        &self.texts[id as usize]
    }

    /// The name that a label takes whose own name is taken.
    pub(super) fn extracted(&mut self, id: NameId) -> NameId {
        if let Some(extracted) = self.extracted[id as usize] {
            return extracted;
        }
        let text = format!("{}{EXTRACTED}", self.text(id));
        let extracted = self.id(&text);
        self.extracted[id as usize] = Some(extracted);
        extracted
    }
}
