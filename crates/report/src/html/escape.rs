//! Text of others in a page: nothing of it is markup.

/// Text as the content of an element, or of an attribute in double quotes. Control characters, which HTML does not allow,
/// become U+FFFD.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// An address that holds a file of this media type itself.
pub fn data_address(media: &str, content: &str) -> String {
    let mut out = format!("data:{media};charset=utf-8,");
    for byte in content.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(byte as char),
            byte => out += &format!("%{byte:02X}"),
        }
    }
    out
}

/// A link that saves `content` as a file.
pub fn download(file: &str, media: &str, content: &str, label: &str) -> String {
    format!(
        "<a class=\"button\" download=\"{}\" href=\"{}\">{}</a>",
        escape(file),
        data_address(media, content),
        escape(label)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_markup_survives() {
        let hostile = "</style><script>alert('x')</script>\" onload=\"y\u{0}&amp;";
        let safe = escape(hostile);
        assert!(!safe.contains(['<', '>', '"', '\'', '\0']), "{safe}");
        assert_eq!(escape("a & b"), "a &amp; b");
        assert_eq!(escape("two\nlines"), "two\nlines");
    }

    #[test]
    fn a_data_address_has_no_quote_or_markup() {
        let address = data_address("text/csv", "a,\"b\"\n<c>,√\n");
        assert_eq!(address, "data:text/csv;charset=utf-8,a%2C%22b%22%0A%3Cc%3E%2C%E2%88%9A%0A");
    }
}
