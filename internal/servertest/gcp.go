package servertest

import (
	"context"
	"fmt"
	"hash/crc32"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The one project that [GCP] has. Responses name it by its number, as Google's
// do.
const (
	GCPProject       = "team-project"
	GCPProjectNumber = "123456789012"
)

// GCP is a server of the Secret Manager API, kept in memory, which serves gRPC
// without TLS and without authentication.
type GCP struct {
	Endpoint string // of [GCP.Serve] without interceptors

	// A test may set these before the first request.
	Between func(secret string) // runs before each version that is added, as another user who is faster
	Lies    bool                // versions that were added are never returned

	secretmanagerpb.UnimplementedSecretManagerServiceServer

	mu       sync.Mutex
	secrets  map[string][]*gcpVersion
	requests []string
}

type gcpVersion struct {
	data  []byte
	state secretmanagerpb.SecretVersion_State
	added bool // and not seeded
}

// SecretManager starts a server that ends with the test.
func SecretManager(t testing.TB) *GCP {
	t.Helper()
	g := &GCP{secrets: map[string][]*gcpVersion{}}
	g.Endpoint = g.Serve(t)
	return g
}

// Serve makes the same secrets available at another address, behind
// interceptors, which may refuse a request or change a response.
func (g *GCP) Serve(t testing.TB, interceptors ...grpc.UnaryServerInterceptor) (endpoint string) {
	t.Helper()
	return g.ServeWith(t, grpc.ChainUnaryInterceptor(interceptors...))
}

// ServeWith is like Serve, with any options, such as TLS.
func (g *GCP) ServeWith(t testing.TB, options ...grpc.ServerOption) (endpoint string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(options...)
	secretmanagerpb.RegisterSecretManagerServiceServer(server, g)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	return l.Addr().String()
}

// Seed adds a version to a secret, which it creates if there is none, and
// returns its number.
func (g *GCP) Seed(secret string, data []byte) (version string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.secrets[secret] = append(g.secrets[secret], &gcpVersion{data: data, state: secretmanagerpb.SecretVersion_ENABLED})
	return strconv.Itoa(len(g.secrets[secret]))
}

// SetState disables, enables or destroys the newest version of a secret.
func (g *GCP) SetState(secret string, state secretmanagerpb.SecretVersion_State) {
	g.mu.Lock()
	defer g.mu.Unlock()
	versions := g.secrets[secret]
	versions[len(versions)-1].state = state
}

// Requests returns the requests so far, in the form "Method resource".
func (g *GCP) Requests() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.requests)
}

// find records a request and returns the secret that resource belongs to; mu is
// held.
func (g *GCP) find(method, resource string) (secret string, rest []string, err error) {
	g.requests = append(g.requests, method+" "+resource)
	parts := strings.Split(resource, "/")
	if len(parts) < 2 || parts[0] != "projects" || len(parts) > 2 && (len(parts) < 4 || parts[2] != "secrets") {
		return "", nil, status.Errorf(codes.InvalidArgument, "The provided resource [%s] is malformed.", resource)
	}
	if parts[1] != GCPProject && parts[1] != GCPProjectNumber {
		return "", nil, status.Errorf(codes.PermissionDenied, "Permission denied on resource project %s.", parts[1])
	}
	if len(parts) == 2 {
		return "", nil, nil
	}
	return parts[3], parts[4:], nil
}

func notThere(secret string) error {
	return status.Errorf(codes.NotFound, "Secret [projects/%s/secrets/%s] not found or has no versions.", GCPProjectNumber, secret)
}

// AccessSecretVersion implements the API.
func (g *GCP) AccessSecretVersion(_ context.Context, r *secretmanagerpb.AccessSecretVersionRequest) (*secretmanagerpb.AccessSecretVersionResponse, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	secret, rest, err := g.find("AccessSecretVersion", r.GetName())
	if err != nil {
		return nil, err
	}
	if len(rest) != 2 || rest[0] != "versions" {
		return nil, status.Errorf(codes.InvalidArgument, "The provided SecretVersion name [%s] is malformed.", r.GetName())
	}
	versions := g.secrets[secret]
	if g.Lies {
		versions = slices.DeleteFunc(slices.Clone(versions), func(v *gcpVersion) bool { return v.added })
	}
	n := len(versions)
	if rest[1] != "latest" {
		n, _ = strconv.Atoi(rest[1])
	}
	if n < 1 || n > len(versions) {
		return nil, notThere(secret)
	}
	name := fmt.Sprintf("projects/%s/secrets/%s/versions/%d", GCPProjectNumber, secret, n)
	v := versions[n-1]
	if v.state != secretmanagerpb.SecretVersion_ENABLED {
		return nil, status.Errorf(codes.FailedPrecondition, "Secret Version [%s] is in %s state.", name, v.state)
	}
	sum := checksum(v.data)
	return &secretmanagerpb.AccessSecretVersionResponse{
		Name: name, Payload: &secretmanagerpb.SecretPayload{Data: v.data, DataCrc32C: &sum},
	}, nil
}

// CreateSecret implements the API.
func (g *GCP) CreateSecret(_ context.Context, r *secretmanagerpb.CreateSecretRequest) (*secretmanagerpb.Secret, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, _, err := g.find("CreateSecret", r.GetParent()); err != nil {
		return nil, err
	}
	if r.GetSecret().GetReplication().GetReplication() == nil {
		return nil, status.Error(codes.InvalidArgument, "Secret.replication must be provided.")
	}
	if _, ok := g.secrets[r.GetSecretId()]; ok {
		return nil, status.Errorf(codes.AlreadyExists, "Secret [projects/%s/secrets/%s] already exists.", GCPProjectNumber, r.GetSecretId())
	}
	g.secrets[r.GetSecretId()] = nil
	return &secretmanagerpb.Secret{Name: "projects/" + GCPProjectNumber + "/secrets/" + r.GetSecretId()}, nil
}

// AddSecretVersion implements the API.
func (g *GCP) AddSecretVersion(_ context.Context, r *secretmanagerpb.AddSecretVersionRequest) (*secretmanagerpb.SecretVersion, error) {
	if _, secret, ok := strings.Cut(r.GetParent(), "/secrets/"); ok && g.Between != nil {
		g.Between(secret)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	secret, rest, err := g.find("AddSecretVersion", r.GetParent())
	if err != nil {
		return nil, err
	}
	data := r.GetPayload().GetData()
	if r.GetPayload().DataCrc32C == nil || r.GetPayload().GetDataCrc32C() != checksum(data) || len(rest) > 0 || len(data) > 64<<10 {
		return nil, status.Error(codes.InvalidArgument, "The parent, the checksum or the size is wrong.")
	}
	versions, ok := g.secrets[secret]
	if !ok {
		return nil, notThere(secret)
	}
	g.secrets[secret] = append(versions, &gcpVersion{data: data, state: secretmanagerpb.SecretVersion_ENABLED, added: true})
	return &secretmanagerpb.SecretVersion{
		Name: fmt.Sprintf("projects/%s/secrets/%s/versions/%d", GCPProjectNumber, secret, len(versions)+1),
	}, nil
}

func checksum(data []byte) int64 {
	return int64(crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
}
