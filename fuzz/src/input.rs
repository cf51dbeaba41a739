//! Inputs that are more than one text: lines first, which a person can read in the corpus, then what is left as numbers and bytes.

/// What is left of an input.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    /// The next line, without its end. `None` when it is not UTF-8; empty when nothing is left.
    pub fn line(&mut self) -> Option<&'a str> {
        let end = self.0.iter().position(|byte| *byte == b'\n');
        let (line, rest) = match end {
            Some(end) => (&self.0[..end], &self.0[end + 1..]),
            None => (self.0, &[][..]),
        };
        self.0 = rest;
        std::str::from_utf8(line).ok()
    }

    /// The next bytes of that number, with zeros for those that are not there.
    pub fn bytes<const COUNT: usize>(&mut self) -> [u8; COUNT] {
        let (taken, rest) = self.0.split_at(self.0.len().min(COUNT));
        self.0 = rest;
        let mut bytes = [0; COUNT];
        bytes[..taken.len()].copy_from_slice(taken);
        bytes
    }
}
