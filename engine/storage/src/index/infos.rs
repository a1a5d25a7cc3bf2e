//! What is known of metrics beside their labels: each description once, as long as it is used.

use std::sync::Arc;

use ahash::HashMap;

use super::SeriesInfo;
use super::rows::{Kind, Rows};

/// Memory of a description beside its texts: itself, its counters, its place in map and list.
const INFO_BYTES: usize = size_of::<SeriesInfo>() + 80;

/// Descriptions by number, each with the number of entries that have it.
#[derive(Debug, Default)]
pub(super) struct Infos {
    infos: Vec<(Arc<SeriesInfo>, u32)>,
    numbers: HashMap<Arc<SeriesInfo>, u32>,
    free: Vec<u32>,
    bytes: usize,
}

impl Infos {
    pub(super) fn get(&self, number: u32) -> &Arc<SeriesInfo> {
        &self.infos[number as usize].0
    }

    /// The number of a row's description, for one entry more.
    pub(super) fn enter(&mut self, rows: &Rows<'_>, row: usize) -> u32 {
        let info = match &rows.kind {
            Kind::Series { info, .. } => {
                let [kind, unit, help, temporality] =
                    info.each_ref().map(|texts| texts.get(row).unwrap_or("").to_owned());
                SeriesInfo { kind, unit, help, temporality }
            }
            Kind::Streams(_) => SeriesInfo::default(),
        };
        if let Some(number) = self.numbers.get(&info) {
            self.infos[*number as usize].1 += 1;
            return *number;
        }
        self.bytes += bytes_of(&info);
        let info = Arc::new(info);
        let number = match self.free.pop() {
            Some(number) => {
                self.infos[number as usize] = (Arc::clone(&info), 1);
                number
            }
            None => {
                self.infos.push((Arc::clone(&info), 1));
                // There are no more descriptions than entries, whose number has 32 bits.
                self.infos.len() as u32 - 1
            }
        };
        self.numbers.insert(info, number);
        number
    }

    /// The number of a row's description for an entry that had the one with number `old`.
    pub(super) fn replace(&mut self, old: u32, rows: &Rows<'_>, row: usize) -> u32 {
        let new = self.enter(rows, row);
        self.leave(old);
        new
    }

    /// An entry less has the description.
    pub(super) fn leave(&mut self, number: u32) {
        let (info, entries) = &mut self.infos[number as usize];
        *entries -= 1;
        if *entries > 0 {
            return;
        }
        let info = std::mem::take(info);
        self.bytes -= bytes_of(&info);
        self.numbers.remove(&info);
        self.free.push(number);
    }

    /// Memory of everything.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

fn bytes_of(info: &SeriesInfo) -> usize {
    let SeriesInfo { kind, unit, help, temporality } = info;
    INFO_BYTES + kind.len() + unit.len() + help.len() + temporality.len()
}
