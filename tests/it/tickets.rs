//! Flight SQL keeps tenants apart: tickets and prepared handles of one are of no use to another.

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use prost::Message;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

use crate::program::Program;
use crate::telemetry::{self, now_ns};

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// Messages of Flight whose first field is text or bytes: a statement, a handle, a ticket.
#[derive(Clone, PartialEq, Message)]
struct First {
    #[prost(bytes = "vec", tag = "1")]
    value: Vec<u8>,
}

/// `FlightDescriptor`; kind 2 is a command.
#[derive(Clone, PartialEq, Message)]
struct Descriptor {
    #[prost(int32, tag = "1")]
    kind: i32,
    #[prost(bytes = "vec", tag = "2")]
    command: Vec<u8>,
}

/// `FlightInfo`, as far as it is looked at.
#[derive(Clone, PartialEq, Message)]
struct Info {
    #[prost(message, repeated, tag = "3")]
    endpoints: Vec<Endpoint>,
}

/// `FlightEndpoint`, likewise.
#[derive(Clone, PartialEq, Message)]
struct Endpoint {
    #[prost(message, optional, tag = "1")]
    ticket: Option<First>,
}

/// `Action`.
#[derive(Clone, PartialEq, Message)]
struct Action {
    #[prost(string, tag = "1")]
    kind: String,
    #[prost(bytes = "vec", tag = "2")]
    body: Vec<u8>,
}

/// `FlightData`, as far as it is looked at.
#[derive(Clone, PartialEq, Message)]
struct Data {
    #[prost(bytes = "vec", tag = "1000")]
    body: Vec<u8>,
}

/// A client in the name of one tenant, or of none.
struct Client {
    channel: Channel,
    tenant: Option<&'static str>,
}

impl Client {
    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(tenant) = self.tenant {
            request.metadata_mut().insert("x-scope-orgid", tenant.parse().unwrap());
        }
        request
    }

    async fn grpc(&self) -> Grpc<Channel> {
        let mut grpc = Grpc::new(self.channel.clone());
        grpc.ready().await.unwrap();
        grpc
    }

    /// The ticket for a command.
    async fn ticket(&self, kind: &str, value: &[u8]) -> Result<Vec<u8>, Status> {
        let descriptor = Descriptor { kind: 2, command: command(kind, value) };
        let codec = ProstCodec::<Descriptor, Info>::default();
        let path = path("GetFlightInfo");
        let answer = self.grpc().await.unary(self.request(descriptor), path, codec).await?;
        let mut info: Info = answer.into_inner();
        Ok(info.endpoints.remove(0).ticket.unwrap().value)
    }

    /// The bodies of the record batches behind a ticket, one after the other.
    async fn redeem(&self, ticket: Vec<u8>) -> Result<Vec<u8>, Status> {
        let codec = ProstCodec::<First, Data>::default();
        let request = self.request(First { value: ticket });
        let answer = self.grpc().await.server_streaming(request, path("DoGet"), codec).await?;
        let mut stream = answer.into_inner();
        let mut bodies = Vec::new();
        while let Some(data) = stream.message().await? {
            bodies.extend(data.body);
        }
        Ok(bodies)
    }

    /// The handle of a prepared statement.
    async fn prepare(&self, statement: &str) -> Result<Vec<u8>, Status> {
        let body = command("ActionCreatePreparedStatementRequest", statement.as_bytes());
        let action = Action { kind: "CreatePreparedStatement".to_owned(), body };
        let codec = ProstCodec::<Action, First>::default();
        let request = self.request(action);
        let answer = self.grpc().await.server_streaming(request, path("DoAction"), codec).await?;
        let result: First = answer.into_inner().message().await?.unwrap();
        let any = Any::decode(result.value.as_slice()).unwrap();
        Ok(First::decode(any.value.as_slice()).unwrap().value)
    }
}

fn path(method: &str) -> PathAndQuery {
    format!("/arrow.flight.protocol.FlightService/{method}").parse().unwrap()
}

fn command(kind: &str, value: &[u8]) -> Vec<u8> {
    let type_url = format!("type.googleapis.com/arrow.flight.protocol.sql.{kind}");
    Any { type_url, value: First { value: value.to_vec() }.encode_to_vec() }.encode_to_vec()
}

fn contains(bytes: &[u8], part: &str) -> bool {
    bytes.windows(part.len()).any(|window| window == part.as_bytes())
}

/// The same bytes with one name in place of another of the same length.
fn forge(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let mut forged = bytes.to_vec();
    let at = forged.windows(from.len()).position(|window| window == from.as_bytes());
    let at = at.expect("the tenant is inside");
    forged[at..at + to.len()].copy_from_slice(to.as_bytes());
    forged
}

const STATEMENT: &str = "SELECT body FROM logs";

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_its_tenants_alone() {
    let program = Program::start(&["multi_tenancy=true"]).await;
    let channel = Channel::from_shared(program.url("")).unwrap().connect().await.unwrap();
    let client = |tenant| Client { channel: channel.clone(), tenant };
    let (blue, pink, unnamed) = (client(Some("blue")), client(Some("pink")), client(None));
    for (own, line) in [(&blue, "blue_line"), (&pink, "pink_line")] {
        let logs = telemetry::logs("s", vec![telemetry::log(now_ns(), line)]);
        let sent = LogsServiceClient::new(channel.clone()).export(own.request(logs)).await;
        sent.unwrap();
    }
    let logs = telemetry::logs("s", vec![telemetry::log(now_ns(), "x")]);
    let refused = LogsServiceClient::new(channel.clone()).export(logs).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::Unauthenticated, "no org id"));

    let ticket = blue.ticket("CommandStatementQuery", STATEMENT.as_bytes()).await.unwrap();
    let handle = blue.prepare(STATEMENT).await.unwrap();
    let prepared = blue.ticket("CommandPreparedStatementQuery", &handle).await.unwrap();
    for ticket in [&ticket, &prepared] {
        // Blue reads first, so whatever is cached is warm.
        assert!(contains(&blue.redeem(ticket.clone()).await.unwrap(), "blue_line"));
        let refused = pink.redeem(ticket.clone()).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");
        let refused = unnamed.redeem(ticket.clone()).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
        // A ticket gives no more than its holder's own name does.
        let rows = pink.redeem(forge(ticket, "blue", "pink")).await.unwrap();
        assert!(contains(&rows, "pink_line") && !contains(&rows, "blue_line"));
    }
    let refused = pink.ticket("CommandPreparedStatementQuery", &handle).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");
    let refused = unnamed.prepare(STATEMENT).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::Unauthenticated, "no org id"));
    for name in ["blue|pink", "..", "a/b"] {
        let asked = client(Some(name)).ticket("CommandStatementQuery", STATEMENT.as_bytes()).await;
        assert_eq!(asked.unwrap_err().code(), Code::InvalidArgument, "{name}");
    }
}
