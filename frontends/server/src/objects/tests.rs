//! Tests of the check that objects can be created only once.

use object_store::memory::InMemory;

use super::*;

#[tokio::test]
async fn a_store_that_creates_once_passes_and_nothing_is_left() {
    use futures::StreamExt as _;

    let objects = InMemory::new();
    check_create_once(&objects).await.unwrap();
    assert_eq!(objects.list(None).count().await, 0);
}
