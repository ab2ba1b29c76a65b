//! The paths of one expression or stage as a tree, so that one walk over a record's JSON finds all of them.

use std::ops::Range;

use super::{Name, Path, Segment, Subject};
use crate::json::{self, Malformed};

/// Paths of one expression that are found in one walk; any further one takes a walk of its own.
pub const PLACES_MAX: usize = 16;

/// Where the value at a path lies in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// Where the quote of its key opens; of an element of an array, where it begins.
    pub key: u32,
    /// Where it begins.
    pub start: u32,
    /// Where it ends; where it begins, if there is no value.
    pub end: u32,
    /// The same key stands in the object before.
    pub repeated: bool,
}

impl Place {
    /// Whether there is no value.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// Its range of the text.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Where the value at each path lies.
pub type Places = [Place; PLACES_MAX];

/// No value anywhere.
pub const NO_PLACES: Places = [Place {
    key: 0,
    start: 0,
    end: 0,
    repeated: false,
}; PLACES_MAX];

/// A set of paths.
#[derive(Debug, Clone, Default)]
pub struct Paths {
    /// Each path once, in the order of the expression.
    paths: Vec<Path>,
    nodes: Vec<Node>,
    roots: Vec<u16>,
    /// The message is asked for, too, and can be found in the same walk.
    pub with_message: bool,
}

/// One segment that paths have in common.
#[derive(Debug, Clone)]
struct Node {
    segment: Segment,
    /// The path that ends here.
    place: Option<u16>,
    children: Vec<u16>,
}

impl Paths {
    /// Adds a path, if it is not there yet, and gives its place.
    pub fn add(&mut self, path: &Path) -> usize {
        if let Some(place) = self.paths.iter().position(|known| known == path) {
            return place;
        }
        let place = self.paths.len();
        self.paths.push(path.clone());
        if place < PLACES_MAX {
            let mut parent = None;
            for segment in &path.segments {
                parent = Some(self.child(parent, segment));
            }
            if let Some(last) = parent {
                self.nodes[usize::from(last)].place = Some(place as u16);
            }
        }
        place
    }

    fn child(&mut self, parent: Option<u16>, segment: &Segment) -> u16 {
        let siblings = match parent {
            Some(parent) => &self.nodes[usize::from(parent)].children,
            None => &self.roots,
        };
        let known = siblings
            .iter()
            .find(|node| self.nodes[usize::from(**node)].segment == *segment);
        if let Some(known) = known {
            return *known;
        }
        let node = self.nodes.len() as u16;
        self.nodes.push(Node {
            segment: segment.clone(),
            place: None,
            children: Vec::new(),
        });
        match parent {
            Some(parent) => self.nodes[usize::from(parent)].children.push(node),
            None => self.roots.push(node),
        }
        node
    }

    /// The path at a place.
    pub fn get(&self, place: usize) -> &Path {
        &self.paths[place]
    }

    /// The place of a path that is found in the one walk.
    pub fn place(&self, path: &[Segment]) -> Option<usize> {
        let place = self.paths.iter().position(|known| known.segments == path);
        place.filter(|place| *place < PLACES_MAX)
    }

    /// Adds what a subject asks for.
    pub fn add_subject(&mut self, subject: &Subject) {
        match subject {
            Subject::Path(path) => {
                self.add(path);
            }
            Subject::Name(name) => self.with_message |= *name == Name::Message,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Whether there is no path.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// Finds the values at the first [`PLACES_MAX`] paths, in one walk over the object or array that begins at `at`.
    /// The last of equal keys wins. `member` is told each key and value of the object itself.
    ///
    /// # Errors
    ///
    /// Where the text stops being JSON; what was found is not to be used then.
    pub fn locate(
        &self,
        text: &[u8],
        at: usize,
        places: &mut Places,
        mut member: impl FnMut(Range<usize>, Range<usize>),
    ) -> Result<usize, Malformed> {
        match text.get(at) {
            Some(b'{') => self.object(text, at, &self.roots, places, &mut member),
            Some(b'[') => self.array(text, at, &self.roots, places),
            _ => Err(Malformed { at }),
        }
    }

    /// The end of the value at `at`, which belongs to a node. Deeper than the node's longest path it is skipped.
    fn value(
        &self,
        text: &[u8],
        (key, at): (usize, usize),
        node: u16,
        places: &mut Places,
    ) -> Result<usize, Malformed> {
        let node = &self.nodes[usize::from(node)];
        self.forget(&node.children, places);
        let end = match text.get(at) {
            Some(b'{') if !node.children.is_empty() => {
                self.object(text, at, &node.children, places, &mut |_, _| {})?
            }
            Some(b'[') if !node.children.is_empty() => {
                self.array(text, at, &node.children, places)?
            }
            _ => json::skip_value(text, at)?,
        };
        if let Some(place) = node.place {
            let place = &mut places[usize::from(place)];
            *place = Place {
                key: key as u32,
                start: at as u32,
                end: end as u32,
                repeated: !place.is_empty(),
            };
        }
        Ok(end)
    }

    /// What an earlier one of equal keys held is no longer there.
    fn forget(&self, nodes: &[u16], places: &mut Places) {
        for node in nodes {
            let node = &self.nodes[usize::from(*node)];
            if let Some(place) = node.place {
                places[usize::from(place)] = Place::default();
            }
            self.forget(&node.children, places);
        }
    }

    fn object(
        &self,
        text: &[u8],
        at: usize,
        nodes: &[u16],
        places: &mut Places,
        member: &mut dyn FnMut(Range<usize>, Range<usize>),
    ) -> Result<usize, Malformed> {
        let mut at = json::skip_space(text, at + 1);
        if text.get(at) == Some(&b'}') {
            return Ok(at + 1);
        }
        loop {
            let (key, value) = json::key_at(text, at)?;
            let end = match self.keyed(nodes, &text[key.clone()]) {
                Some(node) => self.value(text, (key.start - 1, value), node, places)?,
                None => json::skip_value(text, value)?,
            };
            member(key, value..end);
            at = json::skip_space(text, end);
            match text.get(at) {
                Some(b',') => at = json::skip_space(text, at + 1),
                Some(b'}') => return Ok(at + 1),
                _ => return Err(Malformed { at }),
            }
        }
    }

    fn array(
        &self,
        text: &[u8],
        at: usize,
        nodes: &[u16],
        places: &mut Places,
    ) -> Result<usize, Malformed> {
        let mut at = json::skip_space(text, at + 1);
        if text.get(at) == Some(&b']') {
            return Ok(at + 1);
        }
        for index in 0.. {
            let wanted = |node: &&u16| matches!(self.nodes[usize::from(**node)].segment, Segment::Index(known) if known == index);
            let end = match nodes.iter().find(wanted) {
                Some(node) => self.value(text, (at, at), *node, places)?,
                None => json::skip_value(text, at)?,
            };
            at = json::skip_space(text, end);
            match text.get(at) {
                Some(b',') => at = json::skip_space(text, at + 1),
                Some(b']') => return Ok(at + 1),
                _ => break,
            }
        }
        Err(Malformed { at })
    }

    fn keyed(&self, nodes: &[u16], key: &[u8]) -> Option<u16> {
        let plain = memchr::memchr(b'\\', key).is_none();
        let is_it = |node: &&u16| match &self.nodes[usize::from(**node)].segment {
            Segment::Key(wanted) if plain => wanted.as_bytes() == key,
            Segment::Key(wanted) => json::key_is(key, wanted),
            Segment::Index(_) => false,
        };
        nodes.iter().find(is_it).copied()
    }
}
