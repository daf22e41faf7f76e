package gcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/credentials"
	"cloud.google.com/go/compute/metadata"
	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/vaulthttp"
	"github.com/envdrift/envdrift/vault"
)

// A link connects to the server when it is first needed, and only once.
type link struct {
	project   string // "" if it comes from the credentials
	endpoint  string // "" for that of Google
	plaintext bool   // and without credentials: a server on this machine
	timeout   time.Duration
	getenv    func(string) string
	options   []option.ClientOption

	waiting func() // says once that a request waits

	lock chan struct{} // held while dialling; waiting for it ends with the context
	made atomic.Pointer[connection]
}

// A connection is what a link has made.
type connection struct {
	client      *secretmanager.Client
	credentials *auth.Credentials // nil for plaintext
	project     string
}

func newLink(cfg vault.Config) (*link, error) {
	l := &link{
		project: vaulthttp.FirstOf(cfg.ProjectID, cfg.Getenv("GOOGLE_CLOUD_PROJECT"), cfg.Getenv("CLOUDSDK_CORE_PROJECT")),
		timeout: cfg.Timeout,
		getenv:  cfg.Getenv,
		waiting: sync.OnceFunc(func() { cfg.Waits("GCP Secret Manager") }),
		lock:    make(chan struct{}, 1),
		// Spans and logs could contain what only the user may see.
		options: []option.ClientOption{option.WithTelemetryDisabled(), option.WithLogger(slog.New(slog.DiscardHandler)),
			option.WithGRPCDialOption(grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)))},
	}
	if l.timeout <= 0 {
		l.timeout = 10 * time.Second
	}
	var err error
	if l.endpoint, l.plaintext, err = checkEndpoint(cfg.Endpoint); err != nil {
		return l, err
	}
	if l.endpoint != "" {
		l.options = append(l.options, option.WithEndpoint(l.endpoint))
	}
	if l.plaintext {
		l.options = append(l.options, option.WithoutAuthentication(),
			option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	}
	if l.project != "" && !isProject(l.project) {
		err, l.project = vault.NewProblem(vault.ErrConfig, fmt.Sprintf("project_id %q: a project's id is of lowercase letters, digits and -", l.project), ""), ""
		return l, err
	}
	if l.project == "" && l.plaintext {
		return l, errNoProject
	}
	return l, nil
}

var errNoProject = vault.NewProblem(vault.ErrConfig, "GCP provider requires --project-id (or [vault.gcp] project_id in config)", "")

// checkEndpoint returns endpoint as HOST:PORT. A token is sent there with every
// request, so it must use TLS, or be a server on this machine, which gets none.
func checkEndpoint(endpoint string) (address string, plaintext bool, err error) {
	if endpoint = strings.TrimSpace(endpoint); endpoint == "" {
		return "", false, nil
	}
	scheme, address, ok := strings.Cut(endpoint, "://")
	if !ok {
		scheme, address = "https", endpoint
	}
	u, err := url.Parse(scheme + "://" + strings.TrimSuffix(address, "/"))
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" || u.Scheme+"://"+u.Host != u.String() {
		// The text itself may contain a password.
		return "", false, vault.NewProblem(vault.ErrConfig, "the endpoint is not of the form HOST[:PORT]", "set endpoint in [vault.gcp], or leave it out")
	}
	plaintext = vaulthttp.IsLoopback(u.Hostname())
	if u.Scheme == "http" && !plaintext {
		return "", false, vault.NewProblem(vault.ErrConfig, fmt.Sprintf("http://%s would send the token in clear text", u.Host), "use https://"+u.Host)
	}
	port := vaulthttp.FirstOf(u.Port(), "443")
	return net.JoinHostPort(u.Hostname(), port), plaintext, nil
}

// knownProject returns the project, or "" if it is not known yet.
func (l *link) knownProject() string {
	if c := l.made.Load(); c != nil {
		return c.project
	}
	return l.project
}

// do makes one request about r, signed in, within its timeout.
func (l *link) do(ctx context.Context, r ref,
	request func(context.Context, *secretmanager.Client, string, gax.CallOption) error) (project string, err error) {
	if l.project != "" {
		if err := r.check(l.project); err != nil {
			return "", err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	c, err := l.connect(ctx)
	if err != nil {
		return "", err
	}
	if err := r.check(c.project); err != nil {
		return "", err
	}
	// Before the request, which would report a network error on the way to
	// the token server as a refused token.
	if err := l.signIn(ctx, c.credentials); err != nil {
		return "", err
	}
	deadline, _ := ctx.Deadline()
	retry := gax.WithRetry(func() gax.Retryer { return &patience{deadline, l.waiting} })
	return c.project, request(ctx, c.client, c.project, retry)
}

func (l *link) connect(ctx context.Context) (*connection, error) {
	select {
	case l.lock <- struct{}{}:
		defer func() { <-l.lock }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if c := l.made.Load(); c != nil {
		return c, nil
	}
	c := &connection{project: l.project}
	options := l.options
	if !l.plaintext {
		var err error
		c.credentials, err = l.detect(ctx)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if c.project == "" && err == nil {
			c.project, err = c.credentials.ProjectID(ctx)
		}
		if c.project == "" { // whatever the credentials are, this comes first
			return nil, errNoProject
		}
		if err != nil {
			return nil, err
		}
		options = append(options[:len(options):len(options)], option.WithAuthCredentials(c.credentials))
	}
	var err error
	// It dials in the background; not with ctx, which ends with this request.
	if c.client, err = secretmanager.NewClient(context.WithoutCancel(ctx), options...); err != nil {
		return nil, vault.NewProblem(vault.ErrConfig, vaulthttp.OneLine(err.Error()), "")
	}
	l.made.Store(c)
	return c, nil
}

// detect finds the Application Default Credentials. The library's own search
// reads the process's environment, does not know CLOUDSDK_CONFIG, and cannot
// be interrupted while it looks for a metadata server.
func (l *link) detect(ctx context.Context) (*auth.Credentials, error) {
	options := &credentials.DetectOptions{
		Scopes:           secretmanager.DefaultAuthScopes(),
		UseSelfSignedJWT: true, // a service account's key needs no token server
		Logger:           slog.New(slog.DiscardHandler),
	}
	setting, file := l.credentialsFile()
	data, err := secret.ReadFile(setting, file)
	switch {
	case errors.Is(err, fs.ErrNotExist) && setting != chosenFile:
		if !metadata.OnGCEWithContext(ctx) {
			missing := "there are no Application Default Credentials (gcloud auth login makes none)"
			if file == "" {
				missing = "neither GOOGLE_APPLICATION_CREDENTIALS nor HOME says where Application Default Credentials are"
			}
			return nil, vault.NewProblem(vault.ErrUnauthenticated, missing, l.remedy())
		}
		c, err := credentials.DetectDefault(options)
		if err != nil {
			return nil, vault.NewProblem(vault.ErrUnauthenticated, err.Error(), l.remedy())
		}
		return c, nil
	case err != nil:
		return nil, vault.NewProblem(vault.ErrUnauthenticated, err.Error(), l.remedy())
	}
	var head struct {
		Type credentials.CredType `json:"type"`
	}
	_ = json.Unmarshal(data, &head)
	c, err := credentials.NewCredentialsFromJSON(head.Type, data, options)
	if err != nil { // its text may quote the file
		return nil, vault.NewProblem(vault.ErrUnauthenticated, "the file that "+setting+" names holds no credentials that can be used", l.remedy())
	}
	return c, nil
}

// chosenFile is the variable by which a user chooses the credentials.
const chosenFile = "GOOGLE_APPLICATION_CREDENTIALS"

// credentialsFile returns the path of the credentials, and the variable or
// program that determines it; file is "" if no variable says where the user's are.
func (l *link) credentialsFile() (setting, file string) {
	if file := l.getenv(chosenFile); file != "" {
		return chosenFile, file
	}
	setting, folder := "CLOUDSDK_CONFIG", l.getenv("CLOUDSDK_CONFIG")
	switch {
	case folder != "":
	case runtime.GOOS == "windows":
		setting, folder = "gcloud", filepath.Join(l.getenv("APPDATA"), "gcloud")
	default:
		setting, folder = "gcloud", filepath.Join(l.getenv("HOME"), ".config", "gcloud")
	}
	if !filepath.IsAbs(folder) { // relative to the repository, whose author could set what is run
		return setting, ""
	}
	return setting, filepath.Join(folder, "application_default_credentials.json")
}

// remedy says how to sign in.
func (l *link) remedy() string {
	const login = "gcloud auth application-default login"
	if setting, _ := l.credentialsFile(); setting == chosenFile {
		return "check the file that GOOGLE_APPLICATION_CREDENTIALS names, or unset that and run: " + login
	}
	return login
}

// signIn makes sure that there is a token. Tokens are kept until they expire.
func (l *link) signIn(ctx context.Context, c *auth.Credentials) error {
	if c == nil {
		return nil
	}
	_, err := c.Token(ctx)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		return vault.NewProblem(vault.ErrUnavailable, "no answer from the token server: "+e.Err.Error(), "")
	}
	if e, ok := errors.AsType[*auth.Error](err); ok && e.Temporary() {
		return vault.NewProblem(vault.ErrUnavailable, "the token server answers with status "+e.Response.Status, "")
	}
	return vault.NewProblem(vault.ErrUnauthenticated, err.Error(), l.remedy())
}
