//! The page at `/`: what runs here, for someone who opens the port in a browser.

/// The page; it loads nothing from anywhere.
pub(crate) const PAGE: &str = include_str!("home.html");
