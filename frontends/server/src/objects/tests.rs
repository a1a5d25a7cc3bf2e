//! Tests of what is taken from a refusal.

use super::*;

#[test]
fn elements_are_found_in_an_error_of_s3() {
    let xml = "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code>\
               <Message>Please reduce your request rate.</Message></Error>";
    assert_eq!(element(xml, "Code"), Some("SlowDown"));
    assert_eq!(element(xml, "Message"), Some("Please reduce your request rate."));
    assert_eq!(element(xml, "RequestId"), None);
    assert_eq!(element("<Code>cut off", "Code"), None);
}

#[test]
fn long_messages_are_cut_between_characters() {
    assert_eq!(shorten(" text \n"), "text");
    let long = "ä".repeat(MESSAGE_BYTES_MAX);
    assert_eq!(shorten(&format!("x{long}")).len(), MESSAGE_BYTES_MAX - 1);
}
