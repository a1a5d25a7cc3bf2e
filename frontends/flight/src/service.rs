//! The calls of Flight SQL: each is parse, call, encode.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::writer::IpcWriteOptions;
use arrow::record_batch::RecordBatch;
use arrow_flight::sql::server::{FlightSqlService, PeekableFlightDataStream};
use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest,
    ActionCreatePreparedStatementResult, CommandGetCatalogs, CommandGetDbSchemas,
    CommandGetSqlInfo, CommandGetTableTypes, CommandGetTables, CommandGetXdbcTypeInfo,
    CommandPreparedStatementQuery, CommandStatementQuery, CommandStatementUpdate,
    DoPutPreparedStatementResult, ProstMessageExt, SqlInfo, TicketStatementQuery,
};
use arrow_flight::{
    Action, FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest, HandshakeResponse,
    IpcMessage, SchemaAsIpc, Ticket,
};
use exec::OutputKind;
use futures::{Stream, stream};
use prost::Message;
use prost::bytes::Bytes;
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status, Streaming};

use crate::Options;
use crate::encode::{FlightStream, batch_stream, plain_schema, query_stream};
use crate::error::Error;
use crate::metadata;
use crate::statement::{Statement, tenant};

/// The service; cheap to clone.
#[derive(Clone)]
pub(crate) struct SqlService {
    session: Arc<exec::Session>,
    options: Options,
}

impl fmt::Debug for SqlService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlService").field("options", &self.options).finish_non_exhaustive()
    }
}

impl SqlService {
    pub(crate) fn new(session: Arc<exec::Session>, options: Options) -> Self {
        Self { session, options }
    }

    fn tenant<T>(&self, request: &Request<T>) -> Result<String, Error> {
        tenant(request.metadata(), &self.options)
    }

    /// The columns a statement returns, as the client is told.
    async fn schema(&self, statement: &Statement) -> Result<SchemaRef, Error> {
        let schema = self.session.sql_schema(&statement.tenant, &statement.sql).await?;
        Ok(plain_schema(&schema))
    }

    /// A statement's columns, and one endpoint whose ticket runs it.
    async fn statement_info(
        &self,
        statement: &Statement,
        descriptor: FlightDescriptor,
    ) -> Result<Response<FlightInfo>, Status> {
        let schema = self.schema(statement).await?;
        let ticket = TicketStatementQuery { statement_handle: statement.to_handle() };
        info(&schema, ticket.as_any().encode_to_vec(), descriptor)
    }

    async fn run(&self, statement: &Statement) -> Result<Response<FlightStream>, Status> {
        let output =
            self.session.sql(&statement.tenant, &statement.sql).await.map_err(Error::from)?;
        let schema = match &output.kind {
            OutputKind::Table(schema) => plain_schema(schema),
            _ => self.schema(statement).await?,
        };
        Ok(Response::new(query_stream(output, schema)))
    }

    async fn tables(&self, command: CommandGetTables, tenant: &str) -> Result<RecordBatch, Error> {
        let tables = self.session.sql_tables(tenant).await?;
        metadata::tables(command, &tables)
    }
}

/// The information of a call that has one endpoint: the same server.
fn info(
    schema: &Schema,
    ticket: impl Into<Bytes>,
    descriptor: FlightDescriptor,
) -> Result<Response<FlightInfo>, Status> {
    let endpoint = FlightEndpoint::new().with_ticket(Ticket::new(ticket));
    let info = FlightInfo::new()
        .try_with_schema(schema)
        .map_err(Error::from)?
        .with_endpoint(endpoint)
        .with_descriptor(descriptor);
    Ok(Response::new(info))
}

/// The information of a metadata command: its own bytes are the ticket.
fn metadata_info(
    batch: &RecordBatch,
    request: Request<FlightDescriptor>,
) -> Result<Response<FlightInfo>, Status> {
    let descriptor = request.into_inner();
    info(&batch.schema(), descriptor.cmd.clone(), descriptor)
}

fn metadata_stream(batch: RecordBatch) -> Result<Response<FlightStream>, Status> {
    Ok(Response::new(batch_stream(batch)))
}

#[tonic::async_trait]
impl FlightSqlService for SqlService {
    type FlightService = Self;

    /// Accepts everyone: there are no passwords here, tenants are told apart by a proxy in front.
    /// The token is what the client showed, which clients that log in with a name then send along.
    async fn do_handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<
        Response<Pin<Box<dyn Stream<Item = Result<HandshakeResponse, Status>> + Send>>>,
        Status,
    > {
        let answer = HandshakeResponse { protocol_version: 0, payload: Bytes::new() };
        let answers: Pin<Box<dyn Stream<Item = _> + Send>> = Box::pin(stream::iter([Ok(answer)]));
        let shown = request.metadata().get("authorization").is_some();
        let mut response = Response::new(answers);
        if shown {
            let token = MetadataValue::from_static("Bearer siglake");
            response.metadata_mut().insert("authorization", token);
        }
        Ok(response)
    }

    async fn get_flight_info_statement(
        &self,
        query: CommandStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let statement = Statement { tenant: self.tenant(&request)?, sql: query.query };
        self.statement_info(&statement, request.into_inner()).await
    }

    async fn do_get_statement(
        &self,
        ticket: TicketStatementQuery,
        request: Request<Ticket>,
    ) -> Result<Response<FlightStream>, Status> {
        let tenant = self.tenant(&request)?;
        let statement = Statement::from_handle(&ticket.statement_handle, &tenant)?;
        self.run(&statement).await
    }

    async fn do_action_create_prepared_statement(
        &self,
        query: ActionCreatePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        let statement = Statement { tenant: self.tenant(&request)?, sql: query.query };
        let schema = self.schema(&statement).await?;
        Ok(ActionCreatePreparedStatementResult {
            prepared_statement_handle: statement.to_handle(),
            dataset_schema: schema_bytes(&schema)?,
            parameter_schema: schema_bytes(&Schema::empty())?,
        })
    }

    async fn get_flight_info_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let tenant = self.tenant(&request)?;
        let statement = Statement::from_handle(&query.prepared_statement_handle, &tenant)?;
        self.statement_info(&statement, request.into_inner()).await
    }

    async fn do_get_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<Ticket>,
    ) -> Result<Response<FlightStream>, Status> {
        let tenant = self.tenant(&request)?;
        let statement = Statement::from_handle(&query.prepared_statement_handle, &tenant)?;
        self.run(&statement).await
    }

    /// The handle is the statement itself, so there is nothing to give back.
    async fn do_action_close_prepared_statement(
        &self,
        _query: ActionClosePreparedStatementRequest,
        _request: Request<Action>,
    ) -> Result<(), Status> {
        Ok(())
    }

    async fn do_put_prepared_statement_query(
        &self,
        _query: CommandPreparedStatementQuery,
        _request: Request<PeekableFlightDataStream>,
    ) -> Result<DoPutPreparedStatementResult, Status> {
        Err(Error::Unsupported("binding parameters").into())
    }

    async fn do_put_statement_update(
        &self,
        _ticket: CommandStatementUpdate,
        _request: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        Err(Error::Unsupported("a statement that writes").into())
    }

    async fn get_flight_info_catalogs(
        &self,
        query: CommandGetCatalogs,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        metadata_info(&metadata::catalogs(query)?, request)
    }

    async fn do_get_catalogs(
        &self,
        query: CommandGetCatalogs,
        _request: Request<Ticket>,
    ) -> Result<Response<FlightStream>, Status> {
        metadata_stream(metadata::catalogs(query)?)
    }

    async fn get_flight_info_schemas(
        &self,
        query: CommandGetDbSchemas,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        metadata_info(&metadata::schemas(query)?, request)
    }

    async fn do_get_schemas(
        &self,
        query: CommandGetDbSchemas,
        _request: Request<Ticket>,
    ) -> Result<Response<FlightStream>, Status> {
        metadata_stream(metadata::schemas(query)?)
    }

    async fn get_flight_info_tables(
        &self,
        query: CommandGetTables,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        // The columns of the answer do not depend on which tables there are.
        metadata_info(&metadata::tables(query, &[])?, request)
    }

    async fn do_get_tables(
        &self,
        query: CommandGetTables,
        request: Request<Ticket>,
    ) -> Result<Response<FlightStream>, Status> {
        let tenant = self.tenant(&request)?;
        metadata_stream(self.tables(query, &tenant).await?)
    }

    async fn get_flight_info_table_types(
        &self,
        query: CommandGetTableTypes,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        metadata_info(&metadata::table_types(query)?, request)
    }

    async fn do_get_table_types(
        &self,
        query: CommandGetTableTypes,
        _request: Request<Ticket>,
    ) -> Result<Response<FlightStream>, Status> {
        metadata_stream(metadata::table_types(query)?)
    }

    async fn get_flight_info_sql_info(
        &self,
        query: CommandGetSqlInfo,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        metadata_info(&metadata::sql_info(&query)?, request)
    }

    async fn do_get_sql_info(
        &self,
        query: CommandGetSqlInfo,
        _request: Request<Ticket>,
    ) -> Result<Response<FlightStream>, Status> {
        metadata_stream(metadata::sql_info(&query)?)
    }

    async fn get_flight_info_xdbc_type_info(
        &self,
        query: CommandGetXdbcTypeInfo,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        metadata_info(&metadata::xdbc_types(query)?, request)
    }

    async fn do_get_xdbc_type_info(
        &self,
        query: CommandGetXdbcTypeInfo,
        _request: Request<Ticket>,
    ) -> Result<Response<FlightStream>, Status> {
        metadata_stream(metadata::xdbc_types(query)?)
    }

    /// The items are fixed; see `metadata::sql_info`.
    async fn register_sql_info(&self, _id: i32, _result: &SqlInfo) {}
}

/// A schema as an IPC message, which must not be empty: some clients then take a statement for
/// one that writes.
fn schema_bytes(schema: &Schema) -> Result<Bytes, Error> {
    let IpcMessage(bytes) = SchemaAsIpc::new(schema, &IpcWriteOptions::default()).try_into()?;
    Ok(bytes)
}
