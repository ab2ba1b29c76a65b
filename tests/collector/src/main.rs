//! `collector FILE`: takes logs over gRPC, packed with zstd or not at all, and appends each request to the file.
//!
//! Protocol and unpacking are tonic's, the messages those of `opentelemetry-proto`. The port stands alone in the first
//! line of the output; each request is written as it was understood, behind its length in four bytes, big end first.

use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{
    LogsService, LogsServiceServer,
};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use prost::Message as _;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::codec::CompressionEncoding;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

struct Logs(Arc<File>);

#[tonic::async_trait]
impl LogsService for Logs {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let coding = request.metadata().get("grpc-encoding");
        if coding.is_none_or(|coding| coding != "zstd") {
            return Err(Status::invalid_argument("not packed with zstd"));
        }
        let message = request.into_inner().encode_to_vec();
        let mut written = (message.len() as u32).to_be_bytes().to_vec();
        written.extend(message);
        // One write, so that requests that come at once do not mix.
        (&*self.0).write_all(&written)?;
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args_os().nth(1).ok_or("collector FILE")?;
    let logs = LogsServiceServer::new(Logs(Arc::new(File::create(file)?)))
        .accept_compressed(CompressionEncoding::Zstd);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    let incoming = TcpListenerStream::new(listener);
    Server::builder()
        .add_service(logs)
        .serve_with_incoming(incoming)
        .await?;
    Ok(())
}
