package aws_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/aws"
)

// The access keys of the fake, by what they may do.
const (
	full    = "AKIAFULL"
	noBatch = "AKIANOBATCH"
	noMove  = "AKIANOMOVE"
	nothing = "AKIANOTHING"
	unknown = "AKIAUNKNOWN"

	secretKey = "s3cretAccessKey"
	session   = "s3ssionT0ken"
)

// A version of a secret, as in the API.
type version struct {
	VersionId    string
	SecretString *string `json:",omitempty"`
	SecretBinary []byte  `json:",omitempty"`
	labels       []string
}

// A fake responds as Secrets Manager does.
type fake struct {
	*httptest.Server

	mu       sync.Mutex
	secrets  map[string][]*version // newest last; none if the secret has no value
	deleted  map[string]bool
	requests map[string]int
	answer   http.HandlerFunc // instead, if set
	before   func(op string)  // each request, if set
	lose     string           // the operation whose response is lost
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{secrets: map[string][]*version{}, deleted: map[string]bool{}, requests: map[string]int{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

// config returns the configuration of a user with that access key for f.
func (f *fake) config(key string) vault.Config { return config(f.URL, key) }

func config(endpoint, key string) vault.Config {
	env := map[string]string{
		"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL": endpoint,
		"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secretKey, "AWS_SESSION_TOKEN": session,
	}
	return vault.Config{Provider: "aws", Getenv: func(name string) string { return env[name] }}
}

func open(t *testing.T, cfg vault.Config) *aws.Store {
	t.Helper()
	s, err := aws.Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	return s
}

func (f *fake) seed(name, text string) { f.add(name, version{SecretString: &text}) }

func (f *fake) add(name string, v version) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.store(name, v, "AWSCURRENT")
}

// store stores a version with labels, of which the first one of a secret has
// AWSCURRENT; mu is held.
func (f *fake) store(name string, v version, labels ...string) string {
	v.VersionId = fmt.Sprintf("%x", rand.Text())[:36]
	if len(f.secrets[name]) == 0 {
		labels = append(labels, "AWSCURRENT")
	}
	f.secrets[name] = append(f.secrets[name], &v)
	for _, label := range labels {
		f.move(name, label, &v)
	}
	return v.VersionId
}

// move gives a label to a version, and AWSPREVIOUS to the one that was current.
func (f *fake) move(name, label string, to *version) {
	from := f.labelled(name, label)
	if from != nil {
		from.labels = slices.DeleteFunc(from.labels, func(l string) bool { return l == label })
	}
	if !slices.Contains(to.labels, label) {
		to.labels = append(to.labels, label)
	}
	if label == "AWSCURRENT" && from != nil && from != to {
		f.move(name, "AWSPREVIOUS", from)
	}
}

// labelled returns the version that has a label, or nil.
func (f *fake) labelled(name, label string) *version {
	for _, v := range f.secrets[name] {
		if slices.Contains(v.labels, label) {
			return v
		}
	}
	return nil
}

// relabel answers UpdateSecretVersionStage.
func (f *fake) relabel(w http.ResponseWriter, name, label, from, to string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := slices.IndexFunc(f.secrets[name], func(v *version) bool { return v.VersionId == to })
	switch has := f.labelled(name, label); {
	case at < 0:
		refuse(w, "ResourceNotFoundException", "Secrets Manager can't find the specified secret version.")
	case has != nil && has.VersionId != from && has.VersionId != to:
		refuse(w, "InvalidParameterException", "The parameter RemoveFromVersionId can't be empty. Staging label "+label+
			" is currently attached to version "+has.VersionId+", so you must explicitly reference that version in RemoveFromVersionId.")
	default:
		f.move(name, label, f.secrets[name][at])
		reply(w, map[string]string{"ARN": arn(name), "Name": name})
	}
}

// sent returns how often each operation was requested.
func (f *fake) sent() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.requests)
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	f.mu.Lock()
	f.requests[op]++
	f.mu.Unlock()
	if f.answer != nil {
		f.answer(w, r)
		return
	}
	if f.before != nil {
		f.before(op)
	}
	if op == f.lose {
		defer refuse(w, "InternalServiceError", "An error occurred on the server side.")
		w = httptest.NewRecorder()
	}
	if code := permit(r, op); code != "" {
		refuse(w, code, "User: arn:aws:iam::123456789012:user/x is not authorized to perform: secretsmanager:"+op)
		return
	}
	var in struct {
		SecretId, Name, VersionId, VersionStage string
		RemoveFromVersionId, MoveToVersionId    string
		SecretIdList, VersionStages             []string
		SecretString                            *string
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		refuse(w, "SerializationException", err.Error())
		return
	}
	switch op {
	case "GetSecretValue":
		out, code, text := f.find(in.SecretId, in.VersionId, in.VersionStage)
		if code != "" {
			refuse(w, code, text)
			return
		}
		reply(w, out)
	case "BatchGetSecretValue":
		reply(w, f.batch(in.SecretIdList))
	case "CreateSecret":
		f.create(w, in.Name, in.SecretString)
	case "PutSecretValue":
		if len(in.VersionStages) == 0 {
			in.VersionStages = []string{"AWSCURRENT"}
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		reply(w, map[string]string{"Name": in.SecretId, "VersionId": f.store(in.SecretId, version{SecretString: in.SecretString}, in.VersionStages...)})
	case "UpdateSecretVersionStage":
		f.relabel(w, in.SecretId, in.VersionStage, in.RemoveFromVersionId, in.MoveToVersionId)
	default:
		refuse(w, "UnknownOperationException", "")
	}
}

func (f *fake) create(w http.ResponseWriter, name string, text *string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, exists := f.secrets[name]
	switch {
	case f.deleted[name]:
		refuse(w, "InvalidRequestException", "You can't create this secret because a secret with this name is already scheduled for deletion.")
	case exists:
		refuse(w, "ResourceExistsException", "The operation failed because the secret "+name+" already exists.")
	default:
		reply(w, map[string]string{"Name": name, "VersionId": f.store(name, version{SecretString: text}, "AWSCURRENT")})
	}
}

// permit returns the code of the refusal, if any, for the access key.
func permit(r *http.Request, op string) string {
	_, after, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	key, _, _ := strings.Cut(after, "/")
	switch {
	case key == unknown:
		return "UnrecognizedClientException"
	case key == nothing, key == noBatch && op == "BatchGetSecretValue", key == noMove && op == "UpdateSecretVersionStage":
		return "AccessDeniedException"
	}
	return ""
}

func arn(name string) string {
	return "arn:aws:secretsmanager:eu-central-1:123456789012:secret:" + name + "-AbCdEf"
}

func (f *fake) find(name, id, stage string) (out map[string]any, code, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if strings.HasPrefix(name, "arn:") {
		name = strings.TrimSuffix(name[strings.LastIndex(name, ":")+1:], "-AbCdEf")
	}
	versions, ok := f.secrets[name]
	switch {
	case !ok:
		return nil, "ResourceNotFoundException", "Secrets Manager can't find the specified secret."
	case f.deleted[name]:
		return nil, "InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion."
	}
	if stage == "" {
		stage = "AWSCURRENT"
	}
	for _, v := range versions {
		if id == v.VersionId || id == "" && slices.Contains(v.labels, stage) {
			out = map[string]any{"ARN": arn(name), "Name": name, "VersionId": v.VersionId, "VersionStages": slices.Clone(v.labels)}
			if v.SecretString != nil {
				out["SecretString"] = *v.SecretString
			}
			if v.SecretBinary != nil {
				out["SecretBinary"] = v.SecretBinary
			}
			return out, "", ""
		}
	}
	return nil, "ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT"
}

func (f *fake) batch(names []string) map[string]any {
	values, failures := []any{}, []any{}
	for _, name := range names {
		out, code, text := f.find(name, "", "")
		if code == "" {
			values = append(values, out)
			continue
		}
		failures = append(failures, map[string]string{"SecretId": name, "ErrorCode": code, "Message": text})
	}
	return map[string]any{"SecretValues": values, "Errors": failures}
}

func reply(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, code, text string) {
	status, known := map[string]int{"InternalServiceError": 500, "ServiceUnavailable": 503, "TooManyRequestsException": 429}[code]
	if !known {
		status = http.StatusBadRequest
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": "com.amazonaws.secretsmanager#" + code, "message": text})
}
