# syntax=docker/dockerfile:1
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked -p server --bin siglake \
    && cp target/release/siglake /siglake

FROM debian:bookworm-slim
# Certificates, for S3 over TLS.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 siglake \
    && install -d -o siglake /data
COPY --from=build /siglake /usr/local/bin/siglake
USER siglake
VOLUME /data
ENV SIGLAKE_DATA=/data \
    SIGLAKE_LISTEN=0.0.0.0:7400 \
    SIGLAKE_PORTS__OTLP_GRPC=0.0.0.0:4317 \
    SIGLAKE_PORTS__OTLP_HTTP=0.0.0.0:4318
EXPOSE 7400 4317 4318
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["siglake", "query", "promql", "1"]
ENTRYPOINT ["siglake"]
CMD ["serve"]
