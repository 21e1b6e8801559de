# syntax=docker/dockerfile:1
FROM docker.io/library/rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN cargo build --locked --release --bin muhatap

FROM docker.io/library/debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home --home-dir /var/lib/muhatap muhatap
COPY --from=build /source/target/release/muhatap /usr/local/bin/muhatap
USER 10001
WORKDIR /var/lib/muhatap
VOLUME /var/lib/muhatap
ENV MUHATAP_DATABASE__URL=sqlite:/var/lib/muhatap/muhatap.db \
    MUHATAP_CONSOLE__LISTEN=0.0.0.0:8080
EXPOSE 8080
# The image has no HTTP client; bash speaks enough of it.
HEALTHCHECK --interval=15s --timeout=3s --start-period=10s CMD ["bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /healthz HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && grep -q '200 OK' <&3"]
ENTRYPOINT ["muhatap"]
CMD ["run"]
