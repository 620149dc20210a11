//! History: which commit brought an object, under which path, and what keeps it.

use super::object::{self, Commit, Id, Kind};
use crate::limits;
use std::collections::HashMap;
use std::rc::Rc;

/// No object.
const NONE: u32 = u32::MAX;

/// What keeps a commit from being thrown away, the least first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kept {
    #[default]
    Nothing,
    Reflog,
    Stash,
    Refs,
}

/// What a repository says of its own history.
#[derive(Clone, Debug, Default)]
pub(super) struct Refs {
    /// The commit that is checked out.
    pub(super) head: Option<Id>,
    /// What each of its refs and logs keeps.
    pub(super) kept: Vec<(Kept, Id)>,
}

impl Refs {
    pub(super) fn keep(&mut self, kept: Kept, id: Id) {
        if self.kept.len() < limits::GIT_REFS && id != [0; 20] {
            self.kept.push((kept, id));
        }
    }
}

/// The objects of a repository, as far as they are at hand.
pub(super) struct Objects<'a> {
    /// How many are known by a number.
    pub(super) count: u32,
    /// The number of an id.
    pub(super) find: &'a dyn Fn(&Id) -> Option<u32>,
    pub(super) id: &'a dyn Fn(u32) -> Option<Id>,
    pub(super) kind: &'a dyn Fn(u32) -> Option<Kind>,
    /// The bytes of a numbered one.
    pub(super) read: &'a mut dyn FnMut(u32) -> Option<Rc<Vec<u8>>>,
    /// One that is kept elsewhere.
    pub(super) outside: &'a mut dyn FnMut(&Id) -> Option<(Kind, Vec<u8>)>,
}

/// What was found out of an object.
#[derive(Clone, Copy)]
struct Node {
    /// The tree it was seen in first, and where its name begins.
    tree: u32,
    name: u32,
    /// The commit that brought it.
    commit: u32,
    seen: bool,
    in_head: bool,
}

const UNSEEN: Node = Node { tree: NONE, name: NONE, commit: NONE, seen: false, in_head: false };

/// A commit on the way.
struct Known {
    id: Id,
    commit: Commit,
    kept: Kept,
}

/// What is told of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct About {
    pub(super) path: Option<Vec<u8>>,
    pub(super) commit: Option<Id>,
    /// For a file: whether the commit that is checked out has it.
    pub(super) in_head: Option<&'static str>,
    /// What keeps it, where the refs are known.
    pub(super) kept: Option<Kept>,
}

impl About {
    /// As facts.
    pub(super) fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = Vec::new();
        if let Some(path) = &self.path {
            facts.push(("path", crate::locator::Printable(path).to_string()));
        }
        if let Some(commit) = &self.commit {
            facts.push(("commit", object::hex(commit)));
        }
        if let Some(in_head) = self.in_head {
            facts.push(("in_head", in_head.to_owned()));
        }
        match self.kept {
            Some(Kept::Nothing) => facts.push(("dangling", "yes".to_owned())),
            Some(Kept::Reflog) => facts.push(("kept_by", "reflog".to_owned())),
            Some(Kept::Stash) => facts.push(("kept_by", "stash".to_owned())),
            Some(Kept::Refs) | None => {}
        }
        facts
    }
}

/// The history of a repository.
#[derive(Default)]
pub(super) struct History {
    nodes: Vec<Node>,
    /// Trees that are kept elsewhere, numbered behind the others.
    elsewhere: HashMap<Id, u32>,
    names: Vec<u8>,
    commits: Vec<(Id, Kept)>,
    kept: HashMap<Id, Kept>,
    refs_known: bool,
    /// Whether the checked-out commit's files are known.
    pub(super) head_known: bool,
}

impl History {
    /// Follow the history from what the refs name, and then what nothing names.
    pub(super) fn read(objects: &mut Objects<'_>, refs: &Refs) -> History {
        let count = usize::try_from(objects.count).unwrap_or(0);
        let mut history = History { nodes: vec![UNSEEN; count], ..History::default() };
        history.refs_known = refs.head.is_some();
        let mut known = commits(objects, refs);
        history.kept = known.iter().map(|known| (known.id, known.kept)).collect();
        let head = refs.head.and_then(|id| known.iter().find(|known| known.id == id));
        let head = head.map(|known| known.commit.tree);
        known.sort_by_key(|known| (std::cmp::Reverse(known.kept), known.commit.time, known.id));
        for Known { id, commit, kept } in known {
            let number = u32::try_from(history.commits.len()).unwrap_or(NONE);
            history.commits.push((id, kept));
            history.walk(objects, &commit.tree, number);
        }
        for number in 0..objects.count {
            let unseen = history.node(number).is_some_and(|node| !node.seen);
            if unseen
                && (objects.kind)(number) == Some(Kind::Tree)
                && let Some(id) = (objects.id)(number)
            {
                history.walk(objects, &id, NONE);
            }
        }
        if let Some(tree) = head {
            history.head_known = history.mark(objects, &tree);
        }
        history
    }

    fn node(&self, number: u32) -> Option<&Node> {
        self.nodes.get(usize::try_from(number).ok()?)
    }

    fn node_mut(&mut self, number: u32) -> Option<&mut Node> {
        self.nodes.get_mut(usize::try_from(number).ok()?)
    }

    /// The number of an object. A tree that is elsewhere gets one when it is read.
    fn number(&self, objects: &Objects<'_>, id: &Id) -> Option<u32> {
        (objects.find)(id).or_else(|| self.elsewhere.get(id).copied())
    }

    /// The bytes of a tree, and its number.
    fn tree(&mut self, objects: &mut Objects<'_>, id: &Id) -> Option<(u32, Rc<Vec<u8>>)> {
        if let Some(number) = (objects.find)(id) {
            let is_tree = (objects.kind)(number) == Some(Kind::Tree);
            return (objects.read)(number).filter(|_| is_tree).map(|bytes| (number, bytes));
        }
        let (kind, bytes) = (objects.outside)(id)?;
        if kind != Kind::Tree {
            return None;
        }
        let next = u32::try_from(self.nodes.len()).ok()?;
        let number = *self.elsewhere.entry(*id).or_insert(next);
        if number == next {
            self.nodes.push(UNSEEN);
        }
        Some((number, Rc::new(bytes)))
    }

    /// Go through a commit's tree, as far as no commit before it has.
    fn walk(&mut self, objects: &mut Objects<'_>, root: &Id, commit: u32) {
        let seen = |history: &History, number: Option<u32>| {
            number.and_then(|number| history.node(number)).is_some_and(|node| node.seen)
        };
        if seen(self, self.number(objects, root)) {
            return;
        }
        let mut pending = vec![(*root, NONE, NONE)];
        while let Some((id, above, name)) = pending.pop() {
            if seen(self, self.number(objects, &id)) {
                continue;
            }
            let Some((tree, bytes)) = self.tree(objects, &id) else { continue };
            if let Some(node) = self.node_mut(tree) {
                *node = Node { tree: above, name, commit, seen: true, ..*node };
            }
            for entry in object::entries(&bytes) {
                let number = self.number(objects, &entry.id);
                if seen(self, number) || (number.is_none() && !entry.is_tree) {
                    continue;
                }
                let Some(name) = self.named(entry.name) else { return };
                if entry.is_tree {
                    pending.push((entry.id, tree, name));
                } else if let Some(node) = number.and_then(|number| self.node_mut(number)) {
                    *node = Node { tree, name, commit, seen: true, ..*node };
                }
            }
        }
    }

    /// Keep a name; where it begins.
    fn named(&mut self, name: &[u8]) -> Option<u32> {
        let name = name.get(..255).unwrap_or(name);
        let start = u32::try_from(self.names.len()).ok()?;
        if self.names.len().saturating_add(name.len()) > limits::GIT_NAMES_BYTES {
            return None;
        }
        self.names.push(u8::try_from(name.len()).ok()?);
        self.names.extend_from_slice(name);
        Some(start)
    }

    /// Mark all that is checked out; whether its tree was there.
    fn mark(&mut self, objects: &mut Objects<'_>, root: &Id) -> bool {
        let mut pending = vec![*root];
        let mut found = false;
        while let Some(id) = pending.pop() {
            let number = self.number(objects, &id);
            if number.and_then(|number| self.node(number)).is_some_and(|node| node.in_head) {
                continue;
            }
            let Some((tree, bytes)) = self.tree(objects, &id) else { continue };
            found = true;
            if let Some(node) = self.node_mut(tree) {
                node.in_head = true;
            }
            for entry in object::entries(&bytes) {
                if entry.is_tree {
                    pending.push(entry.id);
                } else if let Some(number) = self.number(objects, &entry.id)
                    && let Some(node) = self.node_mut(number)
                {
                    node.in_head = true;
                }
            }
        }
        found
    }

    /// What is known of an object.
    pub(super) fn about(&self, number: u32) -> About {
        let Some(node) = self.node(number) else { return About::default() };
        let commit = self.commits.get(usize::try_from(node.commit).unwrap_or(usize::MAX));
        About {
            path: self.path(node),
            commit: commit.map(|(id, _)| *id),
            in_head: Some(match (node.in_head, self.head_known) {
                (true, _) => "yes",
                (false, true) => "no",
                (false, false) => "unknown",
            }),
            kept: self.refs_known.then(|| commit.map_or(Kept::Nothing, |(_, kept)| *kept)),
        }
    }

    /// What is known of a commit.
    pub(super) fn about_commit(&self, id: &Id) -> About {
        let kept = self.kept.get(id).copied();
        let kept = kept.filter(|_| self.refs_known);
        About { commit: Some(*id), kept, ..About::default() }
    }

    fn path(&self, node: &Node) -> Option<Vec<u8>> {
        let mut parts: Vec<&[u8]> = Vec::new();
        let mut node = node;
        while node.tree != NONE && parts.len() < limits::GIT_PATH_DEPTH {
            let at = usize::try_from(node.name).ok()?;
            let (len, rest) = self.names.get(at..)?.split_first()?;
            parts.push(rest.get(..usize::from(*len))?);
            node = self.node(node.tree)?;
        }
        parts.reverse();
        (!parts.is_empty()).then(|| parts.join(&b'/'))
    }
}

/// All commits that are at hand or can be reached, with what keeps them.
fn commits(objects: &mut Objects<'_>, refs: &Refs) -> Vec<Known> {
    let mut known: Vec<Known> = Vec::new();
    let mut numbers: HashMap<Id, usize> = HashMap::new();
    for number in 0..objects.count {
        if (objects.kind)(number) != Some(Kind::Commit) || known.len() >= limits::GIT_COMMITS {
            continue;
        }
        let (id, bytes) = ((objects.id)(number), (objects.read)(number));
        if let (Some(id), Some(commit)) = (id, bytes.and_then(|bytes| object::commit(&bytes))) {
            let _ = numbers.insert(id, known.len());
            known.push(Known { id, commit, kept: Kept::Nothing });
        }
    }
    for kept in [Kept::Refs, Kept::Stash, Kept::Reflog] {
        let named = refs.kept.iter().filter(|(by, _)| *by == kept).map(|(_, id)| *id);
        let mut pending: Vec<Id> = named.collect();
        if kept == Kept::Refs {
            pending.extend(refs.head);
        }
        while let Some(id) = pending.pop() {
            let number = match numbers.get(&id) {
                Some(number) => *number,
                None => match elsewhere(objects, &id) {
                    Some(Reached::Commit(commit)) if known.len() < limits::GIT_COMMITS => {
                        known.push(Known { id, commit, kept: Kept::Nothing });
                        let number = known.len().saturating_sub(1);
                        let _ = numbers.insert(id, number);
                        number
                    }
                    Some(Reached::Tag(id)) => {
                        pending.push(id);
                        continue;
                    }
                    _ => continue,
                },
            };
            let Some(known) = known.get_mut(number).filter(|known| known.kept < kept) else {
                continue;
            };
            known.kept = kept;
            pending.extend(&known.commit.parents);
        }
    }
    known
}

/// What a ref leads to that is no commit at hand.
enum Reached {
    Commit(Commit),
    Tag(Id),
}

fn elsewhere(objects: &mut Objects<'_>, id: &Id) -> Option<Reached> {
    if let Some(number) = (objects.find)(id) {
        let is_tag = (objects.kind)(number) == Some(Kind::Tag);
        let bytes = (objects.read)(number).filter(|_| is_tag)?;
        return object::tagged(&bytes).filter(|tagged| tagged != id).map(Reached::Tag);
    }
    match (objects.outside)(id)? {
        (Kind::Commit, bytes) => object::commit(&bytes).map(Reached::Commit),
        (Kind::Tag, bytes) => object::tagged(&bytes).filter(|to| to != id).map(Reached::Tag),
        _ => None,
    }
}
