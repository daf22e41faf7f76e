# envdrift, the vaults' programs and certificates, and nothing else: no shell, not root.
#
#     docker build -t envdrift:0.1.0 --build-arg VERSION=0.1.0 .
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS TARGETARCH VERSION
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -ldflags="-s -w -X main.releaseVersion=$VERSION" -o /out/ ./cmd/...

FROM scratch
LABEL org.opencontainers.image.title="envdrift" \
      org.opencontainers.image.description="Runs programs with the values of dotenvx-encrypted env files, and checks such files" \
      org.opencontainers.image.source="https://github.com/envdrift/envdrift" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/ /usr/local/bin/
USER 65532:65532
WORKDIR /work
ENTRYPOINT ["/usr/local/bin/envdrift"]
