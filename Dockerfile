# syntax=docker/dockerfile:1
# The gateway as one static binary in an image without a shell, run by nobody in particular.
# Build: docker build -t stafett .

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -tags nomsgpack -trimpath -ldflags "-s -w" -o /out/stafett ./cmd/stafett && \
    go run .ci/notice.go -texts > /out/LICENSES && \
    mkdir -p /out/data

FROM busybox:1.37-musl AS busybox

FROM gcr.io/distroless/static-debian12:nonroot
# The only tool beside the gateway: the health check asks /readyz with it.
COPY --from=busybox /bin/busybox /bin/wget
COPY --from=build /out/stafett /bin/stafett
COPY --from=build /out/LICENSES /src/LICENSE /src/NOTICE /usr/share/doc/stafett/
# For a SQLite ledger and embedded events; with PostgreSQL and a NATS cluster it stays empty.
COPY --from=build --chown=65532:65532 /out/data /var/lib/stafett
VOLUME /var/lib/stafett
WORKDIR /var/lib/stafett
USER 65532:65532
EXPOSE 8080 2575
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 \
    CMD ["/bin/wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/readyz"]
ENTRYPOINT ["/bin/stafett"]
CMD ["serve", "--config", "/etc/stafett/stafett.yaml"]
