//! Blanks out comments and literals, so that the checks see code alone. Lines and columns stay where they are.

/// What the reader is inside of.
#[derive(Clone, Copy)]
enum Inside {
    Code,
    LineComment,
    /// How deep: block comments nest.
    BlockComment(usize),
    /// With escapes, up to this quote.
    Quoted(char),
    /// Up to a quote and this many `#`.
    Raw(usize),
}

/// The same text with a space for each character of a comment, a string or a character literal.
pub(super) fn code_only(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut inside = Inside::Code;
    let mut at = 0;
    while at < chars.len() {
        let (next, length) = step(inside, &chars, at);
        let stays = matches!((inside, next), (Inside::Code, Inside::Code));
        out.extend(chars[at..at + length].iter().map(|&c| if stays || c == '\n' { c } else { ' ' }));
        inside = next;
        at += length;
    }
    out
}

/// What follows at `at`, and how many characters belong to the step.
fn step(inside: Inside, chars: &[char], at: usize) -> (Inside, usize) {
    let rest = &chars[at..];
    match inside {
        Inside::Code => enter(chars, at),
        Inside::LineComment if rest[0] == '\n' => (Inside::Code, 1),
        Inside::BlockComment(depth) if rest.starts_with(&['/', '*']) => (Inside::BlockComment(depth + 1), 2),
        Inside::BlockComment(1) if rest.starts_with(&['*', '/']) => (Inside::Code, 2),
        Inside::BlockComment(depth) if rest.starts_with(&['*', '/']) => (Inside::BlockComment(depth - 1), 2),
        Inside::Quoted(_) if rest[0] == '\\' => (inside, rest.len().min(2)),
        Inside::Quoted(quote) if rest[0] == quote => (Inside::Code, 1),
        Inside::Raw(hashes) if rest[0] == '"' && count_hashes(&rest[1..]) >= hashes => (Inside::Code, hashes + 1),
        _ => (inside, 1),
    }
}

/// The step from code: into a comment or a literal, or over one character or word of code.
fn enter(chars: &[char], at: usize) -> (Inside, usize) {
    let rest = &chars[at..];
    match rest[0] {
        '/' if rest.starts_with(&['/', '/']) => (Inside::LineComment, 2),
        '/' if rest.starts_with(&['/', '*']) => (Inside::BlockComment(1), 2),
        '"' => (Inside::Quoted('"'), 1),
        '\'' if is_char_literal(rest) => (Inside::Quoted('\''), 1),
        c if is_word(c) => {
            let word = rest.iter().take_while(|&&c| is_word(c)).count();
            let hashes = count_hashes(&rest[word..]);
            let raw = matches!(rest[..word], ['r'] | ['b' | 'c', 'r']) && rest.get(word + hashes) == Some(&'"');
            if raw {
                (Inside::Raw(hashes), word + hashes + 1)
            } else {
                (Inside::Code, word)
            }
        }
        _ => (Inside::Code, 1),
    }
}

/// Tells `'a'` and `'\n'` from the lifetime `'a`.
fn is_char_literal(rest: &[char]) -> bool {
    matches!(rest, ['\'', '\\', ..] | ['\'', _, '\'', ..])
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn count_hashes(rest: &[char]) -> usize {
    rest.iter().take_while(|&&c| c == '#').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_turn_blank_and_code_stays_in_its_column() {
        let text = "let a = \"x // y\"; // z\nlet b = '\\''; /* p /* q */ r */ let c = 'c';\n";
        let code = code_only(text);
        assert_eq!(code.len(), text.len());
        let words: Vec<_> = code.split_whitespace().collect();
        assert_eq!(words, ["let", "a", "=", ";", "let", "b", "=", ";", "let", "c", "=", ";"]);
        assert_eq!(code.find("let c"), text.find("let c"));
    }

    #[test]
    fn raw_strings_end_at_their_own_hashes() {
        assert_eq!(
            code_only("f(r#\"a\" b\"#, br\"\\\", g)").split_whitespace().collect::<Vec<_>>(),
            ["f(", ",", ",", "g)"]
        );
    }

    #[test]
    fn lifetimes_and_raw_identifiers_are_code() {
        let text = "fn f<'a>(r#type: &'a str, for_r: u8) {}";
        assert_eq!(code_only(text), text);
    }

    #[test]
    fn an_escaped_quote_does_not_end_a_string() {
        assert_eq!(
            code_only(r#"a("\\\"x", b)"#).split_whitespace().collect::<Vec<_>>(),
            ["a(", ",", "b)"]
        );
    }
}
