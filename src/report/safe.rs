//! Text from an image, made safe for a terminal and a log.

use std::fmt::{self, Write as _};

/// Shows text with every character that could steer a terminal, forge a line or reorder what is
/// read written as an escape.
#[derive(Clone, Copy, Debug)]
pub struct Safe<'a>(pub &'a str);

impl fmt::Display for Safe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{61c}'
            | '\u{e0000}'..='\u{e007f}' => write!(f, "\\u{{{:x}}}", u32::from(c)),
            c if c.is_control() => write!(f, "{}", c.escape_default()),
            c => f.write_char(c),
        })
    }
}

/// Like [`Safe`], for text of our own that has line breaks.
#[derive(Clone, Copy, Debug)]
pub struct Lines<'a>(pub &'a str);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, line) in self.0.lines().enumerate() {
            if number > 0 {
                f.write_char('\n')?;
            }
            Safe(line).fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        let text = "a\x1b[2J\r\nno findings\u{202e}\u{9b}31m";
        let shown = Safe(text).to_string();
        assert_eq!(shown, "a\\u{1b}[2J\\r\\nno findings\\u{202e}\\u{9b}31m");
    }
}
