//! Links that save a file which the page itself holds.

use maud::{Markup, html};

/// An address that holds a file of this media type itself.
fn data_address(media: &str, content: &str) -> String {
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
pub fn download(file: &str, media: &str, content: &str, label: &str) -> Markup {
    html! { a class="button" download=(file) href=(data_address(media, content)) { (label) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_address_has_no_quote_or_markup() {
        let address = data_address("text/csv", "a,\"b\"\n<c>,√\n");
        assert_eq!(address, "data:text/csv;charset=utf-8,a%2C%22b%22%0A%3Cc%3E%2C%E2%88%9A%0A");
    }
}
