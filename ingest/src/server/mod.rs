//! The two doors: OTLP over HTTP and OTLP over gRPC.

mod grpc;
mod http;

pub use grpc::grpc_routes;
pub use http::http_router;
