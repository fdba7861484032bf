//! The embedded font, with which plotters measures and draws text.

use std::sync::Once;

use plotters::style::{FontStyle, register_font};

/// Makes the embedded font known to plotters, which measures tick labels with it.
pub(crate) fn register_fonts() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // The bytes are a font by construction; a failure would show in every test as FontUnavailable.
        let _ = register_font("sans-serif", FontStyle::Normal, dejavu::sans::regular());
    });
}
