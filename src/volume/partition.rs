//! A partition as its table tells it, and the check of it against the disk and its neighbours.

use super::{Layout, Promise, Volume};
use crate::bytes::{ReadAt, Slice};
use crate::error::Error;
use crate::run::Run;
use std::sync::Arc;

/// One entry of a partition table, not yet believed.
pub(super) struct Partition {
    /// Its number: `p<number>` in locators.
    pub(super) number: u32,
    /// Type and name, escaped.
    pub(super) label: String,
    /// What its type says of its bytes.
    pub(super) promise: Promise,
    /// The bytes it claims.
    pub(super) run: Run,
}

/// Cut the partitions where they pass the end of the disk or run into each other. Of two that
/// overlap the earlier loses its tail, because what begins both filesystems then stays readable;
/// of two that begin together the longer stays.
pub(super) fn layout(
    disk: &Arc<dyn ReadAt>,
    mut partitions: Vec<Partition>,
    mut troubles: Vec<Error>,
) -> Layout {
    let whole = Run::new(0, disk.len());
    partitions.sort_by_key(|p| (p.run.start, std::cmp::Reverse(p.run.len), p.number));
    let mut kept: Vec<Partition> = Vec::new();
    for mut partition in partitions {
        let number = partition.number;
        let inside = partition.run.intersect(whole);
        if inside.is_empty() {
            troubles.push(Error::corrupt("partition lies outside the disk").detail(tell(number)));
            continue;
        }
        if inside != partition.run {
            troubles
                .push(Error::corrupt("partition passes the end of the disk").detail(tell(number)));
        }
        partition.run = inside;
        match kept.last_mut() {
            Some(last) if last.run.start == inside.start => {
                troubles.push(overlap(last.number, number));
            }
            Some(last) if last.run.end() > inside.start => {
                troubles.push(overlap(last.number, number));
                last.run = Run::between(last.run.start, inside.start);
                kept.push(partition);
            }
            _ => kept.push(partition),
        }
    }
    let volumes = kept.into_iter().map(|p| volume(disk, p)).collect();
    Layout { volumes, troubles, remarks: Vec::new() }
}

fn volume(disk: &Arc<dyn ReadAt>, partition: Partition) -> Volume {
    Volume {
        name: tell(partition.number).into(),
        label: partition.label,
        promise: partition.promise,
        bytes: Arc::new(Slice::new(Arc::clone(disk), partition.run)),
    }
}

fn tell(number: u32) -> String {
    format!("p{number}")
}

fn overlap(first: u32, second: u32) -> Error {
    Error::corrupt("partitions overlap").detail(format_args!("p{first} and p{second}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(claims: &[(u64, u64)], kept: &[(&str, u64)], troubles: usize) {
        let disk: Arc<dyn ReadAt> = Arc::new(vec![0; 1000]);
        let claims = claims.iter().zip(1..).map(|(&(start, len), number)| Partition {
            number,
            label: String::new(),
            promise: Promise::Nothing,
            run: Run::new(start, len),
        });
        let layout = layout(&disk, claims.collect(), Vec::new());
        let found: Vec<_> = layout.volumes.iter().map(|v| (&*v.name, v.bytes.len())).collect();
        assert_eq!(found, kept);
        assert_eq!(layout.troubles.len(), troubles);
    }

    #[test]
    fn keeps_what_is_sound_in_disk_order() {
        check(&[(500, 500), (0, 500)], &[("p2", 500), ("p1", 500)], 0);
    }

    #[test]
    fn cuts_at_the_end_of_the_disk_and_at_the_next_partition() {
        check(&[(900, 101), (1000, 5), (u64::MAX, 9)], &[("p1", 100)], 3);
        check(&[(0, 1000), (100, 10), (50, 100)], &[("p1", 50), ("p3", 50), ("p2", 10)], 2);
        check(&[(10, 20), (10, 200), (10, 200)], &[("p2", 200)], 2);
    }
}
